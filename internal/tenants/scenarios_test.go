package tenants

import (
	"fmt"
	"io"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/jobstest"
)

// snapshot is all that a job may leave behind: instances, tenants and routes.
type snapshot struct {
	Instances map[string]fleet.Instance
	Tenants   []fleet.Tenant
	Routes    []fleet.Route
}

// snap takes a snapshot once the Observer has caught up. Addresses change with each start.
func (w *world) snap(t *testing.T) snapshot {
	t.Helper()
	time.Sleep(2 * time.Second)
	synctest.Wait()
	s := snapshot{Instances: map[string]fleet.Instance{}}
	list, err := w.lxd.Instances(t.Context(), false)
	do(t, err)
	for _, inst := range list {
		s.Instances[inst.Name] = inst
	}
	s.Tenants, err = w.store.Tenants(t.Context(), fleet.TenantFilter{})
	do(t, err)
	for i := range s.Tenants {
		s.Tenants[i].Revision, s.Tenants[i].UpdatedAt = 0, time.Time{}
	}
	s.Routes, err = w.observer.Routes(t.Context())
	do(t, err)
	return s
}

// placed puts a tenant into the world without a job.
func (w *world) placed(t *testing.T, name string, desired fleet.Desired) fleet.Tenant {
	t.Helper()
	tenant := fleet.Tenant{
		ID: fleet.NewID(time.Now()), Name: fleet.Name(name), Image: w.image.Ref(), Plan: "small",
		Domains: []fleet.Domain{fleet.Domain(name + ".example.test")}, Health: w.image.Health,
		Desired: desired, Ready: true, Member: "n1", CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
	if desired == fleet.DesiredRemoved {
		tenant.PurgeAt = new(time.Now().Add(time.Hour))
	}
	keys := keysOf(tenant)
	maps.Copy(keys, map[string]string{fleet.KeyReady: "true", fleet.KeyJob: "job-of-" + name})
	do(t, w.store.InsertTenant(t.Context(), tenant))
	do(t, w.lxd.LxcCreate(fleet.CloneSpec{
		Name: name, Fingerprint: w.image.Fingerprint, Member: "n1", Profiles: []string{"default", "small"}, Config: keys,
	}))
	if desired == fleet.DesiredRunning {
		do(t, w.lxd.LxcStart(name))
	}
	time.Sleep(2 * time.Second)
	return tenant
}

// scenario is a kind tried on a world that prepare fills; args gives the job's arguments and
// check looks at the effect.
func scenario(kind string, prepare func(t *testing.T, w *world), args func(t *testing.T, w *world) any, check func(t *testing.T, w *world)) jobstest.Scenario {
	return jobstest.Scenario{Kind: kind, Bubble: true, New: func(t *testing.T) jobstest.World {
		w := newWorld(t)
		synctest.Wait()
		if prepare != nil {
			prepare(t, w)
		}
		before := w.snap(t)
		return jobstest.World{
			Store: w.store, Registry: w.registry,
			Options: func(o *jobs.Options) { o.OnEvent = w.observer.JobEvent },
			Submit: func() jobs.Request {
				return jobs.Request{Kind: kind, Subject: "tenant/acme", Args: args(t, w)}
			},
			CheckDone: func(t *testing.T) {
				time.Sleep(2 * time.Second)
				check(t, w)
			},
			CheckUndone: func(t *testing.T) {
				after := w.snap(t)
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("something is left behind (-before +after):\n%s", diff)
				}
			},
		}
	}}
}

// wants is a check of a tenant's status and route.
func wants(status fleet.TenantStatus, route fleet.RouteState) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		w.t = t
		w.wantStatus("acme", status, route)
		inst, _ := w.lxd.Seen("acme")
		if state := inst.Config[fleet.KeyState]; state != string(w.get("acme").Desired) {
			t.Errorf("the instance's key says %q, the store %q", state, w.get("acme").Desired)
		}
	}
}

func acmeIs(desired fleet.Desired) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) { t.Helper(); w.placed(t, "acme", desired) }
}

// where gives the whereabouts of acme.
func where(t *testing.T, w *world) whereabouts {
	t.Helper()
	tenant, err := w.store.Tenant(t.Context(), "acme")
	do(t, err)
	return w.service.whereabouts(tenant, 0)
}

func power(t *testing.T, w *world) any { return powerState{where(t, w)} }

func scenarios() []jobstest.Scenario {
	return []jobstest.Scenario{
		scenario(KindCreate, nil, func(_ *testing.T, w *world) any {
			return createState{
				Tenant: fleet.Tenant{
					ID: fleet.NewID(time.Now()), Name: "acme", Image: w.image.Ref(), Plan: "small",
					Domains: []fleet.Domain{"acme.test"}, Health: w.image.Health, Desired: fleet.DesiredRunning,
					Member: "n2", CreatedAt: time.Now(), UpdatedAt: time.Now(),
				},
				Fingerprint: w.image.Fingerprint, Hook: true,
			}
		}, func(t *testing.T, w *world) {
			wants(fleet.TenantRunning, fleet.RouteServe)(t, w)
			if inst, _ := w.lxd.Seen("acme"); inst.Config[fleet.KeyReady] != "true" {
				t.Errorf("the instance is not marked as ready: %v", inst.Config)
			}
		}),
		scenario(KindClone, func(t *testing.T, w *world) {
			w.placed(t, "globex", fleet.DesiredRunning)
			w.lxd.SetFile("globex", "/etc/machine-id", []byte("globex's own"))
			do(t, w.lxd.LxcSnapshot("globex", "monday"))
		}, func(t *testing.T, w *world) any {
			original, err := w.store.Tenant(t.Context(), "globex")
			do(t, err)
			return createState{
				Tenant: fleet.Tenant{
					ID: fleet.NewID(time.Now()), Name: "acme", Image: w.image.Ref(), Plan: "small",
					Domains: []fleet.Domain{"acme.test"}, Health: w.image.Health, Desired: fleet.DesiredRunning,
					Member: "n1", CreatedAt: time.Now(), UpdatedAt: time.Now(),
				},
				Hook: true, From: &origin{Tenant: original.ID, Instance: "globex", Snapshot: "monday"},
			}
		}, func(t *testing.T, w *world) {
			wants(fleet.TenantRunning, fleet.RouteServe)(t, w)
			inst, _ := w.lxd.Seen("acme")
			if inst.Config[fleet.KeyReady] != "true" || inst.Config[fleet.KeyTenant] != w.get("acme").ID {
				t.Errorf("the instance's keys: %v", inst.Config)
			}
			id, err := w.lxd.ReadFile(t.Context(), "acme", "/etc/machine-id")
			do(t, err)
			if content, _ := io.ReadAll(id); len(content) > 0 {
				t.Errorf("the machine's id is %q", content)
			}
			hostname, err := w.lxd.ReadFile(t.Context(), "acme", "/etc/hostname")
			do(t, err)
			if content, _ := io.ReadAll(hostname); string(content) != "acme\n" {
				t.Errorf("the copy takes itself for %q", content)
			}
			if told := w.hooks[len(w.hooks)-1].Env; told["LXDFLEET_COPY"] != "1" || told["LXDFLEET_MAIL"] != "" {
				t.Errorf("the hook was told %v", told)
			}
		}),
		scenario(KindStart, acmeIs(fleet.DesiredStopped), power, wants(fleet.TenantRunning, fleet.RouteServe)),
		scenario(KindStop, acmeIs(fleet.DesiredRunning), power, wants(fleet.TenantStopped, fleet.RouteStopped)),
		scenario(KindRestart, acmeIs(fleet.DesiredRunning), power, wants(fleet.TenantRunning, fleet.RouteServe)),
		scenario(KindRemove, acmeIs(fleet.DesiredRunning), func(t *testing.T, w *world) any {
			return removeState{whereabouts: where(t, w), PurgeAt: new(time.Now().Add(time.Hour))}
		}, func(t *testing.T, w *world) {
			wants(fleet.TenantRemoved, "")(t, w)
			if inst, _ := w.lxd.Seen("acme"); inst.Status != fleet.InstanceStopped {
				t.Errorf("the instance is %s", inst.Status)
			}
		}),
		scenario(KindUndelete, acmeIs(fleet.DesiredRemoved), func(t *testing.T, w *world) any {
			return removeState{whereabouts: where(t, w)}
		}, wants(fleet.TenantRunning, fleet.RouteServe)),
		scenario(KindPurge, acmeIs(fleet.DesiredRunning), func(t *testing.T, w *world) any {
			return removeState{whereabouts: where(t, w), PurgeAt: new(time.Now())}
		}, func(t *testing.T, w *world) { w.t = t; w.wantNothingLeft("acme") }),
		scenario(KindAdopt, func(t *testing.T, w *world) {
			do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "acme", Member: "n3", Profiles: []string{"default"}, Config: map[string]string{"user.mine": "x"}}))
			do(t, w.lxd.LxcStart("acme"))
		}, func(t *testing.T, w *world) any {
			inst, err := w.lxd.Instance(t.Context(), "acme")
			do(t, err)
			return adoptState{
				Tenant: fleet.Tenant{
					ID: fleet.NewID(time.Now()), Name: "acme", Plan: "medium", Domains: []fleet.Domain{"acme.test"},
					Health: fleet.DefaultHealth(), Desired: fleet.DesiredRunning, Member: inst.Location,
					CreatedAt: time.Now(), UpdatedAt: time.Now(),
				},
				Profiles: inst.Profiles,
			}
		}, func(t *testing.T, w *world) {
			wants(fleet.TenantRunning, fleet.RouteServe)(t, w)
			inst, _ := w.lxd.Seen("acme")
			if fmt.Sprint(inst.Profiles) != "[default medium]" || inst.Config["user.mine"] != "x" || inst.Config[fleet.KeyReady] != "true" {
				t.Errorf("instance %+v", inst)
			}
		}),
		scenario(KindResize, acmeIs(fleet.DesiredRunning), func(t *testing.T, w *world) any {
			return resizeState{whereabouts: where(t, w), From: "small", To: "large"}
		}, func(t *testing.T, w *world) {
			wants(fleet.TenantRunning, fleet.RouteServe)(t, w)
			inst, _ := w.lxd.Seen("acme")
			if fmt.Sprint(inst.Profiles) != "[default large]" || inst.Config[fleet.KeyPlan] != "large" || w.get("acme").Plan != "large" {
				t.Errorf("profiles %v, plan %s", inst.Profiles, w.get("acme").Plan)
			}
		}),
	}
}

func TestKindsRepeatEachStep(t *testing.T) { eachKind(t, jobstest.RepeatEachStep) }

func TestKindsFailEachStep(t *testing.T) { eachKind(t, jobstest.FailEachStep) }

func TestKindsResumeEachEvent(t *testing.T) { eachKind(t, jobstest.ResumeEachEvent) }

func eachKind(t *testing.T, try func(*testing.T, jobstest.Scenario)) {
	for _, s := range scenarios() {
		t.Run(s.Kind, func(t *testing.T) { try(t, s) })
	}
}

func TestEveryKindHasAScenario(t *testing.T) {
	registry := jobs.NewRegistry()
	do(t, Register(registry, KindDeps{}))
	jobstest.Cover(t, registry, scenarios())
}
