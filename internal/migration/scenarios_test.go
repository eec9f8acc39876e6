package migration

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/jobstest"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

// scenario tries a kind of job in a world of its own.
func scenario(driver, kind, subject string, prepare func(w *world), args func(w *world) any, done, undone func(w *world)) jobstest.Scenario {
	return jobstest.Scenario{Kind: kind, Bubble: true, New: func(t *testing.T) jobstest.World {
		w := newWorld(t, driver)
		synctest.Wait()
		if prepare != nil {
			prepare(w)
		}
		return jobstest.World{
			Store: w.store, Registry: w.registry,
			Options: func(o *jobs.Options) { o.OnEvent = w.observer.JobEvent },
			Submit:  func() jobs.Request { return jobs.Request{Kind: kind, Subject: subject, Args: args(w)} },
			CheckDone: func(t *testing.T) {
				w.t = t
				done(w)
			},
			CheckUndone: func(t *testing.T) {
				w.t = t
				undone(w)
			},
		}
	}}
}

// args is a move of acme from n1 to n2, while it runs, as the service asks for it.
func moveArgs(w *world) any {
	w.write("acme", "last")
	return moveState{ID: w.acme.ID, Name: "acme", From: "n1", To: "n2", WasUp: true, MostHold: 20 * time.Second}
}

func (w *world) wantPage(want string) {
	w.t.Helper()
	if got := w.page(); got != want {
		w.t.Errorf("the page is %q, want %q", got, want)
	}
}

// wantOn fails the test unless acme runs on the member, once.
func (w *world) wantOn(member string) {
	w.t.Helper()
	now, err := w.store.Tenant(context.Background(), "acme")
	do(w.t, err)
	if inst, ok := w.lxd.Seen("acme"); !ok || now.Member != member || inst.Location != member || inst.Status != fleet.InstanceRunning {
		w.t.Errorf("tenant %+v, instance %+v", now, inst)
	}
}

func scenarios() map[string]jobstest.Scenario {
	served := func(member string) func(*world) {
		return func(w *world) {
			w.t.Helper()
			w.wantServed(member)
			w.wantPage("last")
		}
	}
	on := func(member string) func(*world) { return func(w *world) { w.t.Helper(); w.wantOn(member) } }
	anywhere := func(w *world) {
		w.t.Helper()
		now, err := w.store.Tenant(context.Background(), "acme")
		do(w.t, err)
		w.wantOn(now.Member)
	}
	return map[string]jobstest.Scenario{
		"move": scenario("zfs", KindMove, "tenant/acme", nil, moveArgs, served("n2"), served("n1")),
		"move with a history": scenario("zfs", KindMove, "tenant/acme", func(w *world) { w.aside("n1") }, moveArgs, func(w *world) {
			w.t.Helper()
			w.wantServed("n2")
			w.wantHistory("n2")
		}, func(w *world) {
			w.t.Helper()
			w.wantServed("n1")
			w.wantHistory("n1")
		}),
		"move on btrfs": scenario("btrfs", KindMove, "tenant/acme", nil, moveArgs, served("n2"), served("n1")),
		"drain": scenario("zfs", KindDrain, "member/n1", nil, func(*world) any {
			return shiftState{Member: "n1", Options: Options{AtOnce: 2}}
		}, func(w *world) {
			w.t.Helper()
			now, err := w.store.Tenant(context.Background(), "acme")
			do(w.t, err)
			record, err := w.store.MemberRecord(context.Background(), "n1")
			do(w.t, err)
			if now.Member == "n1" || !record.Cordoned {
				w.t.Errorf("tenant %+v, member %+v", now, record)
			}
			w.wantOn(now.Member)
		}, anywhere),
		"restore": scenario("zfs", KindRestore, "member/n1", func(w *world) {
			drained := fleet.Job{ID: fleet.NewID(time.Now()), Kind: KindDrain, Subject: "member/n1", State: fleet.JobDone, CreatedAt: time.Now()}
			w.book.jobs = []fleet.Job{drained}
			time.Sleep(time.Second)
			_, err := w.book.Move(context.Background(), "acme", Request{To: "n2", For: "member/n1"}, Once{Key: "x"})
			do(w.t, err)
			do(w.t, w.Cordon(context.Background(), "n1", "drained"))
		}, func(*world) any { return shiftState{Member: "n1", Options: Options{AtOnce: 2}} }, on("n1"), anywhere),
		"later": scenario("zfs", KindLater, "planned/acme", nil, func(*world) any {
			return shiftState{Options: Options{AtOnce: 1}, Plan: []placement.Move{{Tenant: "acme", To: "n2"}}}
		}, on("n2"), anywhere),
		"rebalance": scenario("zfs", KindRebalance, "fleet", nil, func(*world) any { return shiftState{Options: Options{AtOnce: 1}} }, on("n3"), anywhere),
	}
}

func TestKindsRepeatEachStep(t *testing.T) { eachKind(t, jobstest.RepeatEachStep) }

func TestKindsFailEachStep(t *testing.T) { eachKind(t, jobstest.FailEachStep) }

func TestKindsResumeEachEvent(t *testing.T) { eachKind(t, jobstest.ResumeEachEvent) }

func eachKind(t *testing.T, try func(*testing.T, jobstest.Scenario)) {
	for name, s := range scenarios() {
		t.Run(name, func(t *testing.T) { try(t, s) })
	}
}

func TestEveryKindHasAScenario(t *testing.T) {
	registry := jobs.NewRegistry()
	do(t, Register(registry, Deps{}))
	var all []jobstest.Scenario
	for _, s := range scenarios() {
		all = append(all, s)
	}
	jobstest.Cover(t, registry, all)
}
