package tenants

import (
	"context"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// jobList is a JobBook of fixed jobs.
type jobList map[string]fleet.Job

func (l jobList) Job(_ context.Context, id string) (fleet.Job, error) {
	if job, ok := l[id]; ok {
		return job, nil
	}
	return fleet.Job{}, fleet.Errorf(fleet.NotFound, "there is no job %s", id)
}

func (l jobList) Jobs(context.Context, jobs.JobFilter) ([]fleet.Job, error) { return nil, nil }

func TestSweep(t *testing.T) {
	book := jobList{
		"running":   {ID: "running", Kind: KindCreate, State: fleet.JobRunning},
		"undoing":   {ID: "undoing", Kind: KindCreate, State: fleet.JobUndoing},
		"undone":    {ID: "undone", Kind: KindCreate, State: fleet.JobUndone},
		"cancelled": {ID: "cancelled", Kind: KindCreate, State: fleet.JobCancelled},
		"done":      {ID: "done", Kind: KindCreate, State: fleet.JobDone},
		"stuck":     {ID: "stuck", Kind: KindCreate, State: fleet.JobStuck},
		"adopt":     {ID: "adopt", Kind: KindAdopt, State: fleet.JobUndone},
	}
	made := func(role, job, tenant, ready string) map[string]string {
		return map[string]string{fleet.KeyRole: role, fleet.KeyJob: job, fleet.KeyTenant: tenant, fleet.KeyReady: ready}
	}
	tests := []struct {
		name   string
		config map[string]string
		young  bool // looked at within the hour
		gone   bool
	}{
		{name: "made by hand", config: nil},
		{name: "made by hand with some keys", config: map[string]string{fleet.KeyTenant: "x"}},
		{name: "made by hand with a job", config: map[string]string{fleet.KeyJob: "undone"}},
		{name: "clone of a running job", config: made(fleet.RoleTenant, "running", "x", "")},
		{name: "clone of a job that undoes", config: made(fleet.RoleTenant, "undoing", "x", "")},
		{name: "clone of an undone job", config: made(fleet.RoleTenant, "undone", "x", ""), gone: true},
		{name: "clone of a cancelled job", config: made(fleet.RoleTenant, "cancelled", "x", ""), gone: true},
		{name: "clone of a stuck job", config: made(fleet.RoleTenant, "stuck", "x", "")},
		{name: "clone of a done job", config: made(fleet.RoleTenant, "done", "x", "")},
		{name: "clone of an unknown job", config: made(fleet.RoleTenant, "lost", "x", "")},
		{name: "clone of no job", config: made(fleet.RoleTenant, "", "x", "")},
		{name: "tenant in service", config: made(fleet.RoleTenant, "undone", "x", "true")},
		{name: "tenant the store knows", config: made(fleet.RoleTenant, "undone", "known", "")},
		{name: "adopted by an undone job", config: made(fleet.RoleTenant, "adopt", "x", "")},
		{name: "builder at work", config: made(fleet.RoleBuilder, "running", "", "")},
		{name: "builder of an ended job", config: made(fleet.RoleBuilder, "done", "", ""), young: true, gone: true},
		{name: "builder of a stuck job", config: made(fleet.RoleBuilder, "stuck", "", "")},
		{name: "check of an undone job", config: made(fleet.RoleCheck, "undone", "", ""), young: true, gone: true},
		{name: "unpacker of no job", config: made(fleet.RoleUnpack, "", "", ""), gone: true},
		{name: "reader at work", config: made(fleet.RoleReader, "running", "", "")},
		{name: "reader of an ended job", config: made(fleet.RoleReader, "done", "", ""), young: true, gone: true},
		{name: "drill of an ended job", config: made(fleet.RoleDrill, "done", "", ""), young: true, gone: true},
		{name: "young unpacker of no job", config: made(fleet.RoleUnpack, "", "", ""), young: true},
		{name: "builder of an unknown job", config: made(fleet.RoleBuilder, "lost", "", ""), gone: true},
		{name: "unknown role", config: made("guest", "undone", "x", "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tenant := fleet.Tenant{
					ID: "known", Name: "known", Plan: "small", Domains: []fleet.Domain{"known.test"}, Image: w.image.Ref(),
					Health: w.image.Health, Desired: fleet.DesiredRunning, Member: "n1", CreatedAt: time.Now(), UpdatedAt: time.Now(),
				}
				do(t, w.store.InsertTenant(t.Context(), tenant))
				do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "thing", Config: tt.config}))
				sweep := &Sweep{LXD: w.lxd, Store: w.store, Jobs: book, Now: func() time.Time {
					if tt.young {
						return time.Now()
					}
					return time.Now().Add(2 * time.Hour)
				}}
				do(t, sweep.Once(t.Context()))
				if _, there := w.lxd.Seen("thing"); there == tt.gone {
					t.Errorf("there: %v, want gone: %v", there, tt.gone)
				}
			})
		})
	}
}

func TestSweepRunEnds(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "thing", Config: map[string]string{fleet.KeyRole: fleet.RoleUnpack}}))
		w.lxd.SetDown(true) // failures do not end it
		time.AfterFunc(5*time.Minute, func() { w.lxd.SetDown(false) })
		now := func() time.Time { return time.Now().Add(2 * time.Hour) }
		(&Sweep{LXD: w.lxd, Store: w.store, Jobs: w.store, Now: now}).Run(ctx)
		(&Trash{Service: w.service}).Run(ctx)
		if _, there := w.lxd.Seen("thing"); there {
			t.Error("the leftover is still there")
		}
	})
}
