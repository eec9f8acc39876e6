package tenants

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

func TestCreateServes(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		job, err := w.service.Create(t.Context(), CreateRequest{
			Name: "acme", DisplayName: "Acme AG", Contact: "it@acme.test", Labels: map[string]string{"tier": "gold"},
			Image: "wordpress", Plan: "medium", Domains: []string{"www.acme.test", "acme.test"}, Member: "n2",
		}, Once{})
		w.done(job, err)
		// At once, without an event of LXD: the job told the Observer.
		r := w.route("acme")
		inst, _ := w.lxd.Seen("acme")
		if r.State != fleet.RouteServe || r.Backend != inst.Addresses[0]+":80" {
			t.Errorf("route %+v, want it to serve %s", r, inst.Addresses)
		}
		v := w.get("acme")
		if v.Status != fleet.TenantRunning || !v.Ready || v.Member != "n2" || v.Plan != "medium" ||
			v.Image.String() != "wordpress/6.1-1" || v.DisplayName != "Acme AG" || v.Desired != fleet.DesiredRunning {
			t.Errorf("tenant %+v", v)
		}
		if inst.Config[fleet.KeyReady] != "true" || inst.Config[fleet.KeyTenant] != v.ID || inst.Config[fleet.KeyJob] != job.ID ||
			inst.Config[fleet.KeyDomains] != "www.acme.test acme.test" || inst.Location != "n2" {
			t.Errorf("instance %+v", inst)
		}
		env := w.hooks[0].Env
		for key, want := range map[string]string{
			"LXDFLEET_TENANT": "acme", "LXDFLEET_DOMAIN": "www.acme.test",
			"LXDFLEET_DOMAINS": "www.acme.test acme.test", "LXDFLEET_URL": "https://www.acme.test:8443",
		} {
			if env[key] != want {
				t.Errorf("%s=%q, want %q", key, env[key], want)
			}
		}
		if out := w.output(job); strings.Contains(out, "secret") {
			t.Errorf("what the hook printed is in the job: %q", out)
		}
		time.Sleep(time.Minute)
		w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
	})
}

// The happy path makes three calls to LXD until the tenant serves, then one for the record.
func TestCreateCallsLXDSeldom(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		calls := func() map[string]int {
			n := map[string]int{}
			for _, m := range []string{
				"EnsureClone", "EnsureStarted", "Exec", "SetConfig", "SetProfiles", "Instance", "Instances",
				"Addresses", "Members", "Profiles", "EnsureStopped", "EnsureDeleted", "Image", "Images",
			} {
				n[m] = w.lxd.Calls(m)
			}
			return n
		}
		before := calls()
		w.done(w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress"}, Once{}))
		want := map[string]int{"EnsureClone": 1, "EnsureStarted": 1, "Exec": 1, "SetConfig": 1}
		for method, n := range calls() {
			if method == "Instance" && n-before[method] == 1 {
				continue // what was recorded is read back, sooner or later
			}
			if n-before[method] != want[method] {
				t.Errorf("%d calls of %s, want %d", n-before[method], method, want[method])
			}
		}
	})
}

func TestCreateWithoutHook(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.image.Version, w.image.Hooks = "6.1-2", nil
		do(t, w.store.InsertImage(t.Context(), w.image))
		w.done(w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress/6.1-2"}, Once{}))
		if args := w.hooks[0].Command; args[len(args)-1] != "" {
			t.Errorf("a hook was called: %q", args)
		}
		// An image in which nothing can be run: the address comes from LXD.
		w.lxd.Inject(lxdfake.Fault{Method: "Exec", Err: fleet.Errorf(fleet.Failed, "no such file: sh")})
		w.done(w.service.Create(t.Context(), CreateRequest{Name: "globex", Image: "wordpress/6.1-2"}, Once{}))
		w.wantStatus("globex", fleet.TenantRunning, fleet.RouteServe)
	})
}

func (w *world) wantNothingLeft(name string) {
	w.t.Helper()
	if inst, ok := w.lxd.Seen(name); ok {
		w.t.Errorf("instance %s is left behind: %+v", name, inst)
	}
	if _, err := w.store.Tenant(w.t.Context(), fleet.Name(name)); fleet.CodeOf(err) != fleet.NotFound {
		w.t.Errorf("tenant %s is left behind (%v)", name, err)
	}
	if r := w.route(name); r.State != "" {
		w.t.Errorf("route is left behind: %+v", r)
	}
}

func TestCreateNeverHealthy(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.setProbes(func(string, string, fleet.HealthCheck) error {
			return fleet.Errorf(fleet.Failed, "GET / answers 502 Bad Gateway")
		})
		began := time.Now()
		job, err := w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress"}, Once{})
		job = w.ends(fleet.JobUndone, job, err)
		if job.ErrorCode != fleet.Unhealthy || !strings.Contains(job.Error, "502") || !strings.Contains(job.Hint, job.ID) {
			t.Errorf("job error %q (%s), hint %q", job.Error, job.ErrorCode, job.Hint)
		}
		if took := time.Since(began); took < time.Minute || took > 70*time.Second {
			t.Errorf("gave up after %s, want about a minute", took)
		}
		if out := w.output(job); !strings.Contains(out, "journalctl --no-pager -n 300") || !strings.Contains(out, "systemctl --failed") {
			t.Errorf("the journal is not kept: %q", out)
		}
		w.wantNothingLeft("acme")
		w.setProbes(nil) // name and domain are free again
		w.tenant("acme")
	})
}

// LXD that does not tell the address in time is as good as an instance that has none.
func TestCreateWithoutAnAddress(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.lxd.SetExec(nil) // the hook tells none
		w.lxd.Inject(lxdfake.Fault{Method: "Addresses", Delay: 25 * time.Second})
		w.lxd.Inject(lxdfake.Fault{Method: "Addresses", Err: fleet.Errorf(fleet.Unavailable, "LXD is busy")})
		job, err := w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress"}, Once{})
		job = w.ends(fleet.JobUndone, job, err)
		if job.ErrorCode != fleet.Unhealthy || !strings.Contains(job.Error, "has no address yet") || !strings.Contains(job.Hint, job.ID) {
			t.Errorf("job error %q (%s), hint %q", job.Error, job.ErrorCode, job.Hint)
		}
		w.wantNothingLeft("acme")
	})
}

func TestCreateNeverHealthyKeepsConsole(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.lxd.SetExec(nil)
		w.lxd.Inject(lxdfake.Fault{Method: "Exec", Err: fleet.Errorf(fleet.Failed, "no journal here")})
		w.image.Version, w.image.Hooks = "6.1-2", nil
		do(t, w.store.InsertImage(t.Context(), w.image))
		w.setProbes(func(string, string, fleet.HealthCheck) error {
			w.lxd.SetConsoleLog("acme", []byte("kernel panic"))
			return fleet.Errorf(fleet.Failed, "silent")
		})
		job, err := w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress/6.1-2"}, Once{})
		if out := w.output(w.ends(fleet.JobUndone, job, err)); !strings.Contains(out, "kernel panic") {
			t.Errorf("the console is not kept: %q", out)
		}
		w.wantNothingLeft("acme")
	})
}

func TestCreateHookFails(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.lxd.SetExec(func(_ context.Context, _ string, spec fleet.ExecSpec) (int, error) {
			_, _ = spec.Stderr.Write([]byte("mysql: no such table\n"))
			return 3, nil
		})
		job, err := w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress"}, Once{})
		job = w.ends(fleet.JobUndone, job, err)
		if job.ErrorCode != fleet.Failed || !strings.Contains(job.Error, "exit code 3") {
			t.Errorf("job error %q (%s)", job.Error, job.ErrorCode)
		}
		if out := w.output(job); !strings.Contains(out, "no such table") {
			t.Errorf("the hook's output is not kept: %q", out)
		}
		w.wantNothingLeft("acme")
	})
}

func TestCreateWhileLXDRestarts(t *testing.T) {
	for _, method := range []string{"EnsureClone", "EnsureStarted", "Exec", "SetConfig"} {
		t.Run(method, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				away := fleet.Errorf(fleet.Unavailable, "LXD does not answer")
				w.lxd.Inject(lxdfake.Fault{Method: method, Times: 3, Err: away})
				w.lxd.Inject(lxdfake.Fault{Method: method, Times: 1, Err: away, After: true})
				w.done(w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress"}, Once{}))
				w.wantStatus("acme", fleet.TenantRunning, fleet.RouteServe)
			})
		})
	}
}

func TestCreateOnPoolThatFillsUp(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.lxd.SetPoolFull("n1", true) // after the members were read
		job, err := w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress", Member: "n1"}, Once{})
		job = w.ends(fleet.JobUndone, job, err)
		if job.ErrorCode != fleet.Exhausted || job.Hint == "" {
			t.Errorf("job error %q (%s), hint %q", job.Error, job.ErrorCode, job.Hint)
		}
		w.wantNothingLeft("acme")
	})
}

func TestCreateCancelled(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.setProbes(func(string, string, fleet.HealthCheck) error { return fleet.Errorf(fleet.Failed, "not yet") })
		job, err := w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress"}, Once{})
		do(t, err)
		time.Sleep(5 * time.Second)
		w.wantStatus("acme", fleet.TenantCreating, "")
		_, err = w.service.Remove(t.Context(), "acme", false, Once{})
		wantError(t, err, fleet.Busy, "", job.ID, "lxdfleet job cancel "+job.ID)
		_, err = w.service.Start(t.Context(), "acme", Once{})
		wantError(t, err, fleet.Busy, "", job.ID)
		_, err = w.engine.Cancel(t.Context(), job.ID)
		w.ends(fleet.JobCancelled, job, err)
		w.wantNothingLeft("acme")
	})
}

// The undo of the clone leaves an instance alone that another job or a person made.
func TestCreateUndoSparesOthers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		remove := w.lxd.Inject(lxdfake.Fault{Method: "EnsureClone", Delay: 5 * time.Second})
		job, err := w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress"}, Once{})
		do(t, err)
		synctest.Wait()
		do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "acme"}))
		job = w.ends(fleet.JobUndone, job, nil)
		remove()
		if job.ErrorCode != fleet.Taken {
			t.Errorf("job error %q (%s)", job.Error, job.ErrorCode)
		}
		if _, ok := w.lxd.Seen("acme"); !ok {
			t.Error("the instance made by hand was deleted")
		}
	})
}

func TestCreatesSpread(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var started []fleet.Job
		for _, name := range []string{"acme", "globex", "initech", "acme2", "acme-new", "handmade"} {
			job, err := w.service.Create(t.Context(), CreateRequest{Name: name, Image: "wordpress"}, Once{})
			do(t, err)
			started = append(started, job)
		}
		count := map[string]int{}
		for _, job := range started {
			w.done(job, nil)
			inst, _ := w.lxd.Seen(strings.TrimPrefix(job.Subject, "tenant/"))
			count[inst.Location]++
		}
		for _, member := range []string{"n1", "n2", "n3"} {
			if count[member] != 2 {
				t.Errorf("%d of 6 tenants on %s: %v", count[member], member, count)
			}
		}
	})
}

// What an instance tells of itself may be an address nobody reaches: LXD is asked too.
func TestCreateAtAnotherAddress(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.lxd.SetExec(func(_ context.Context, _ string, spec fleet.ExecSpec) (int, error) {
			_, err := spec.Stdout.Write([]byte(addressMark + "3: docker0    inet 172.17.0.1/16 scope global docker0\n"))
			return 0, err
		})
		w.done(w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress"}, Once{}))
		inst, _ := w.lxd.Seen("acme")
		if r := w.route("acme"); r.Backend != inst.Addresses[0]+":80" {
			t.Errorf("route %+v, want %s", r, inst.Addresses)
		}
	})
}
