package images

import (
	"context"
	"io"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

const secondStep = buildDir + "/step-2"

func (w *world) buildShop(t *testing.T) (fleet.Job, error) {
	t.Helper()
	return w.service.Build(t.Context(), bundleOf(t, shopRecipe).Tar, "", "")
}

func TestBuild(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		old := w.has(t, "1", true)
		job, err := w.buildShop(t)
		job, output := w.ends(t, job, err, fleet.JobDone)
		w.wantCurrent(t, "2")
		g, err := w.service.Get(t.Context(), fleet.ImageRef{Name: "shop"})
		do(t, err)
		want := fleet.GoldenImage{
			Name: "shop", Version: "2", Description: "A shop", Current: true, JobID: job.ID,
			RecipeHash: bundleOf(t, shopRecipe).Hash, Hooks: []string{"health", "personalize"},
			Health:      fleet.HealthCheck{Port: fleet.DefaultHealth().Port, Path: fleet.DefaultHealth().Path, Body: "hello", Timeout: 30 * time.Second},
			Fingerprint: g.Fingerprint, BaseFingerprint: g.BaseFingerprint, Size: g.Size, CreatedAt: g.CreatedAt, Members: g.Members,
		}
		if diff := cmp.Diff(want, g); diff != "" {
			t.Errorf("the record (-want +got):\n%s", diff)
		}
		if g.BaseFingerprint == "" || g.Size == 0 || w.based != 1 {
			t.Errorf("base %q, size %d, %d bases made", g.BaseFingerprint, g.Size, w.based)
		}
		for _, line := range []string{"retrieving bookworm", "step 1 of 2: one", "step 2 of 2: two", "A clone was healthy"} {
			if !strings.Contains(output, line) {
				t.Errorf("the output lacks %q:\n%s", line, output)
			}
		}
		if still, err := w.service.Get(t.Context(), old.Ref()); err != nil || still.Current {
			t.Errorf("the old version: %+v, %v", still, err)
		}
		if !slices.Contains(w.changed, "shop") {
			t.Error("nobody was told")
		}
		order := []string{"busybox", "/srv/www/index.html", buildDir + "/step-1", secondStep, buildDir, path.Join(fleet.HookDir, "personalize"), path.Join(fleet.HookDir, "health")}
		if diff := cmp.Diff(order, w.commands); diff != "" {
			t.Errorf("what ran (-want +got):\n%s", diff)
		}
	})
}

func TestBuildUsesTheBaseAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for _, version := range []string{"2", "3"} {
			job, err := w.service.Build(t.Context(), bundleOf(t, strings.Replace(shopRecipe, `"2"`, `"`+version+`"`, 1)).Tar, "", "")
			w.ends(t, job, err, fleet.JobDone)
		}
		if w.based != 1 {
			t.Errorf("%d bases made, want 1", w.based)
		}
	})
}

// forcedStop is an LXD whose instances never stop when asked to.
type forcedStop struct{ *lxdfake.LXD }

func (l forcedStop) EnsureStopped(ctx context.Context, name string, timeout time.Duration) (bool, error) {
	_, err := l.LXD.EnsureStopped(ctx, name, timeout)
	return true, err
}

func TestBuildFails(t *testing.T) {
	journal := "systemctl --failed --no-pager --plain; journalctl --no-pager -n 300"
	tests := []struct {
		name   string
		breaks func(w *world)
		code   fleet.Code
		says   []string // in the job's error
		prints []string // in the job's output
	}{
		{
			"a step", func(w *world) { w.failing(secondStep, 3, "boom: disk on fire") }, fleet.Failed,
			[]string{`step "two" ended with exit code 3`, "boom: disk on fire"},
			[]string{"ran " + secondStep, "boom: disk on fire"},
		},
		{"a step that does not end", func(w *world) {
			w.fails[secondStep] = func(ctx context.Context, _ io.Writer) int { <-ctx.Done(); return 1 }
		}, fleet.Failed, []string{`step "two": it did not end within 5m0s`}, nil},
		{
			"the packages", func(w *world) { w.failing("busybox", 100, "E: Unable to locate package") }, fleet.Failed,
			[]string{"installing the packages ended with exit code 100", "Unable to locate package"},
			nil,
		},
		{"the base", func(w *world) { w.noBase = fleet.Errorf(fleet.Failed, "no mirror") }, fleet.Failed, []string{"no mirror"}, nil},
		{"cleaning", func(w *world) { w.failing(buildDir, 1, "the machine-id cannot be emptied") }, fleet.Failed, []string{"machine-id"}, nil},
		{"a clone that is not healthy", func(w *world) {
			w.page = ""
			w.failing(journal, 0, "mysqld: corrupted")
		}, fleet.Unhealthy, []string{"check a clone of shop/2", "no good answer within 30s", "500"}, []string{"mysqld: corrupted"}},
		{"a clone with the wrong page", func(w *world) { w.page = "welcome to nginx" }, fleet.Unhealthy, []string{`without the text "hello"`}, nil},
		{"a clone whose journal cannot be read", func(w *world) {
			w.page = ""
			w.failing(journal, 127, "no journalctl")
		}, fleet.Unhealthy, nil, []string{"Its console:"}},
		{
			"the personalize hook", func(w *world) { w.failing(path.Join(fleet.HookDir, "personalize"), 2, "no password") }, fleet.Failed,
			[]string{"the hook personalize ended with exit code 2", "no password"},
			[]string{"journal"},
		},
		{
			"the health hook", func(w *world) { w.failing(path.Join(fleet.HookDir, "health"), 1, "cron is dead") }, fleet.Failed,
			[]string{"the hook health", "cron is dead"},
			nil,
		},
		{"a full pool", func(w *world) {
			for _, m := range []string{"n1", "n2", "n3"} {
				w.lxd.SetPoolFull(m, true)
			}
		}, fleet.Exhausted, []string{"make the builder of shop/2"}, nil},
		{"publishing", func(w *world) {
			w.lxd.Inject(lxdfake.Fault{Method: "EnsurePublished", Err: fleet.Errorf(fleet.Failed, "tar: no space"), After: true})
		}, fleet.Failed, []string{"publish shop/2", "no space"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.has(t, "1", true)
				before := w.snap(t)
				test.breaks(w)
				job, err := w.buildShop(t)
				job, output := w.ends(t, job, err, fleet.JobUndone)
				if job.ErrorCode != test.code {
					t.Errorf("code %s, want %s", job.ErrorCode, test.code)
				}
				for _, words := range test.says {
					if !strings.Contains(job.Error, words) {
						t.Errorf("the error %q lacks %q", job.Error, words)
					}
				}
				for _, words := range test.prints {
					if !strings.Contains(output, words) {
						t.Errorf("the output lacks %q:\n%s", words, output)
					}
				}
				if diff := cmp.Diff(before, w.snap(t)); diff != "" {
					t.Errorf("something is left behind (-before +after):\n%s", diff)
				}
			})
		})
	}
}

// buildOn builds the shop with another LXD between the steps and the fake.
func (w *world) buildOn(t *testing.T, lxd LXD) fleet.Job {
	t.Helper()
	deps := w.deps
	deps.LXD = lxd
	registry := jobs.NewRegistry()
	do(t, Register(registry, deps))
	w.registry = registry
	w.start()
	job, err := w.buildShop(t)
	do(t, err)
	job, err = w.engine.Wait(t.Context(), job.ID)
	do(t, err)
	return job
}

func TestBuilderThatMustBeKilled(t *testing.T) {
	synctestWorld(t, func(t *testing.T, w *world) {
		job := w.buildOn(t, forcedStop{w.lxd})
		if job.State != fleet.JobUndone || !strings.Contains(job.Error, "had to be killed") {
			t.Errorf("the job ended as %s: %s", job.State, job.Error)
		}
	})
}

// noAddress is an LXD whose instances never get an address.
type noAddress struct{ *lxdfake.LXD }

func (noAddress) Addresses(context.Context, string) ([]string, error) { return nil, nil }

func TestBuilderWithoutAddress(t *testing.T) {
	synctestWorld(t, func(t *testing.T, w *world) {
		job := w.buildOn(t, noAddress{w.lxd})
		if job.State != fleet.JobUndone || !strings.Contains(job.Error, "no address within 1m0s") {
			t.Errorf("the job ended as %s: %s", job.State, job.Error)
		}
	})
}

func TestBuildOutlivesAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fails[secondStep] = func(ctx context.Context, _ io.Writer) int {
			w.mu.Lock()
			delete(w.fails, secondStep)
			w.mu.Unlock()
			w.lxd.SetDown(true)
			time.AfterFunc(20*time.Second, func() { w.lxd.SetDown(false) })
			<-ctx.Done()
			return 1
		}
		job, err := w.buildShop(t)
		w.ends(t, job, err, fleet.JobDone)
		w.wantCurrent(t, "2")
	})
}

func TestBuildWithAMemberAway(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.lxd.SetOnline("n3", false)
		w.lxd.Inject(lxdfake.Fault{Method: "EnsureUnpacked", Err: fleet.Errorf(fleet.Failed, "bad disk"), Times: 1})
		job, err := w.buildShop(t)
		_, output := w.ends(t, job, err, fleet.JobDone)
		if !strings.Contains(output, "Not unpacked ahead: member n") || !strings.Contains(output, "bad disk") {
			t.Errorf("the output says nothing of the member:\n%s", output)
		}
		g, err := w.service.Get(t.Context(), fleet.ImageRef{Name: "shop"})
		do(t, err)
		if len(g.Members) != 1 {
			t.Errorf("unpacked on %v, want one member", g.Members)
		}
	})
}

func TestBuildCancelled(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		before := w.snap(t)
		reached := make(chan struct{})
		w.fails[secondStep] = func(ctx context.Context, _ io.Writer) int { close(reached); <-ctx.Done(); return 1 }
		job, err := w.buildShop(t)
		do(t, err)
		<-reached
		_, err = w.engine.Cancel(t.Context(), job.ID)
		do(t, err)
		w.ends(t, job, nil, fleet.JobCancelled)
		if diff := cmp.Diff(before, w.snap(t)); diff != "" {
			t.Errorf("something is left behind (-before +after):\n%s", diff)
		}
	})
}
