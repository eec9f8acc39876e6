package snapshots

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/jobstest"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

// remains is all that a job may leave behind.
type remains struct {
	Instances map[string]fleet.Instance
	Snapshots []fleet.Snapshot
	Records   map[string]fleet.Snapshot
	Page      string
	Routes    []fleet.Route
}

func (w *world) remains(t *testing.T) remains {
	t.Helper()
	w.t = t
	time.Sleep(2 * time.Second)
	synctest.Wait()
	r := remains{Instances: map[string]fleet.Instance{}, Page: w.page()}
	list, err := w.lxd.Instances(t.Context(), false)
	do(t, err)
	for _, inst := range list {
		r.Instances[inst.Name] = inst
	}
	r.Snapshots, err = w.service.List(t.Context(), "acme")
	do(t, err)
	r.Records, err = w.store.Snapshots(t.Context(), w.acme.ID)
	do(t, err)
	for name, record := range r.Records {
		if record.Origin == fleet.OriginLXC { // a restore has put aside and given back what it is of
			delete(r.Records, name)
		}
	}
	if len(r.Records) == 0 {
		r.Records = nil
	}
	r.Routes, err = w.observer.Routes(t.Context())
	do(t, err)
	for i := range r.Routes {
		r.Routes[i].Backend = "" // addresses change with each start
	}
	return r
}

func scenario(kind string, opts lxdfake.Options, prepare func(w *world), args func(w *world) any, check func(t *testing.T, w *world)) jobstest.Scenario {
	return jobstest.Scenario{Kind: kind, Bubble: true, New: func(t *testing.T) jobstest.World {
		w := newWorld(t, opts)
		synctest.Wait()
		w.write("one")
		do(t, w.lxd.LxcSnapshot("acme", "one"))
		time.Sleep(time.Second)
		do(t, w.lxd.LxcSnapshot("acme", "two"))
		w.write("now")
		if prepare != nil {
			prepare(w)
		}
		before := w.remains(t)
		return jobstest.World{
			Store: w.store, Registry: w.registry,
			Options: func(o *jobs.Options) { o.OnEvent = w.onEvent },
			Submit: func() jobs.Request {
				return jobs.Request{Kind: kind, Subject: "tenant/acme", Args: args(w)}
			},
			CheckDone: func(t *testing.T) {
				w.t = t
				time.Sleep(2 * time.Second)
				check(t, w)
			},
			CheckUndone: func(t *testing.T) {
				if diff := cmp.Diff(before, w.remains(t)); diff != "" {
					t.Errorf("something is left behind (-before +after):\n%s", diff)
				}
			},
		}
	}}
}

func restoreArgs(w *world) any {
	return restoreState{TenantID: w.acme.ID, Tenant: "acme", Snapshot: "one", Holder: "acme", Safety: "before"}
}

func restored(t *testing.T, w *world) {
	t.Helper()
	if got := w.page(); got != "one" {
		t.Errorf("the page is %q", got)
	}
	inst, _ := w.lxd.Seen("acme")
	if inst.Status != fleet.InstanceRunning || inst.Config[fleet.KeyTenant] != w.acme.ID || inst.Config[fleet.KeyReady] != "true" ||
		inst.Config["volatile.eth0.hwaddr"] != "00:16:3e:00:00:01" {
		t.Errorf("instance %+v", inst)
	}
	if names := w.names(); names != "one two before" {
		t.Errorf("snapshots %s", names)
	}
	safety, err := w.service.Snapshot(t.Context(), "acme", "before")
	do(t, err)
	if safety.Origin != fleet.OriginSafety || safety.Consistency != fleet.ConsistentApplication {
		t.Errorf("safety snapshot %+v", safety)
	}
	routes, err := w.observer.Routes(t.Context())
	do(t, err)
	if len(routes) != 1 || routes[0].State != fleet.RouteServe {
		t.Errorf("routes %+v", routes)
	}
}

func scenarios() map[string]jobstest.Scenario {
	return map[string]jobstest.Scenario{
		"create": scenario(KindCreate, lxdfake.Options{}, nil, func(w *world) any {
			return createState{TenantID: w.acme.ID, Snapshot: fleet.Snapshot{Tenant: "acme", Name: "new", Origin: fleet.OriginManual}}
		}, func(t *testing.T, w *world) {
			n, err := w.service.Snapshot(t.Context(), "acme", "new")
			do(t, err)
			if n.Consistency != fleet.ConsistentApplication || n.Origin != fleet.OriginManual || w.names() != "one two new" {
				t.Errorf("snapshot %+v of %s", n, w.names())
			}
		}),
		"delete": scenario(KindDelete, lxdfake.Options{}, nil, func(w *world) any {
			return deleteState{TenantID: w.acme.ID, Tenant: "acme", Snapshots: []string{"one", "gone", "two"}}
		}, func(t *testing.T, w *world) {
			if names := w.names(); names != "" {
				t.Errorf("left: %s", names)
			}
		}),
		"restore": scenario(KindRestore, lxdfake.Options{}, nil, restoreArgs, restored),
		"restore by a copy": scenario(KindRestore, lxdfake.Options{Driver: "zfs"}, nil, restoreArgs, func(t *testing.T, w *world) {
			restored(t, w)
			list, err := w.lxd.Instances(t.Context(), false)
			do(t, err)
			if len(list) != 2 {
				t.Errorf("instances %+v", list)
			}
		}),
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
	do(t, Register(registry, KindDeps{}))
	var all []jobstest.Scenario
	for _, s := range scenarios() {
		all = append(all, s)
	}
	jobstest.Cover(t, registry, all)
}
