package app

import (
	"context"
	"io"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/backups"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/reader"
	"github.com/lxdfleet/lxdfleet/internal/snapshots"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// backupDeps are what the jobs on backups work with. The services they ask are there when the
// first job runs.
func (a *App) backupDeps(tenantDeps tenants.KindDeps, snapshotDeps snapshots.KindDeps) backups.Deps {
	return backups.Deps{
		LXD: a.lxd, Store: a.store, Vault: a.vault, Snapshots: snapshots.NewTaker(snapshotDeps), Readers: readers{a},
		Tenants: tenancy{a, tenants.NewHands(tenantDeps)}, Policies: policies{a}, Images: golden{a}, Lister: lister{a},
		StopTimeout: a.cfg.Tenants.StopTimeout,
		KeepOld:     orNone(a.cfg.Backups.KeepOld), Event: a.feed.Publish, Log: a.log,
	}
}

func (a *App) wireBackups(deps backups.Deps) {
	a.backups = backups.NewService(deps, a.engine)
	a.onRelease(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		if err := a.vault.Close(ctx); err != nil {
			a.log.Warn("the repository of the backups was not closed cleanly", "error", err)
		}
	})
	a.scheduler.Runners[fleet.ScheduleBackups] = backups.Backups{Service: a.backups}
	a.scheduler.Runners[fleet.ScheduleDrills] = backups.Drills{Service: a.backups}
}

// backupLoops are what looks after the backups.
func (a *App) backupLoops(deps backups.Deps) []func(context.Context) {
	loops := []func(context.Context){
		(&backups.Keeper{Service: a.backups, PruneEvery: a.cfg.Backups.PruneEvery, VerifyEvery: orNone(a.cfg.Backups.VerifyEvery)}).Run,
		(&backups.Sweep{Deps: deps}).Run,
	}
	if a.cfg.Backups.ControlEvery > 0 {
		loops = append(loops, (&backups.Saver{Service: a.backups, Every: a.cfg.Backups.ControlEvery}).Run)
	}
	return loops
}

// readers read snapshots whole.
type readers struct{ app *App }

// Open implements backups.Readers.
func (r readers) Open(ctx context.Context, instance, snapshot, name, jobID string) (backups.Reader, error) {
	return reader.Open(ctx, r.app.lxd, reader.Spec{Source: instance, Snapshot: snapshot, Name: name, JobID: jobID})
}

// golden is the images' service, which is there when the first job runs.
type golden struct{ app *App }

// Rebuild implements backups.Images.
func (g golden) Rebuild(ctx context.Context, ref fleet.ImageRef, recipe string) (fleet.Job, error) {
	return g.app.images.Rebuild(ctx, ref, recipe)
}

// Bring implements backups.Images.
func (g golden) Bring(ctx context.Context, tarball io.Reader, image fleet.GoldenImage, jobID string, progress func(fleet.Progress)) error {
	return g.app.images.Bring(ctx, tarball, image, jobID, progress)
}

// Admit implements backups.Images.
func (g golden) Admit(ctx context.Context, image fleet.GoldenImage, jobID string) error {
	return g.app.images.Admit(ctx, image, jobID)
}

// Dismiss implements backups.Images.
func (g golden) Dismiss(ctx context.Context, image fleet.GoldenImage, jobID string) error {
	return g.app.images.Dismiss(ctx, image, jobID)
}

// lister is the snapshots' service, which is there when somebody asks.
type lister struct{ app *App }

// Listing implements backups.Lister.
func (l lister) Listing(ctx context.Context, tenant fleet.Name, snapshot string) ([]fleet.FileInfo, time.Time, error) {
	return l.app.snapshots.Listing(ctx, tenant, snapshot)
}

// policies are those of the store.
type policies struct{ app *App }

// Policies implements backups.Policies.
func (p policies) Policies(ctx context.Context) ([]fleet.Policy, error) {
	return p.app.store.Policies(ctx)
}

// RestorePolicy implements backups.Policies.
func (p policies) RestorePolicy(ctx context.Context, policy fleet.Policy) error {
	policy.Revision = 0
	_, err := p.app.store.SavePolicy(ctx, policy)
	if err == nil {
		p.app.policyChanged(policy.Name)
	}
	return err
}

// tenancy is what the tenants' package does for backups.
type tenancy struct {
	app   *App
	hands *tenants.Hands
}

// Keys implements backups.Tenancy.
func (y tenancy) Keys(t fleet.Tenant) map[string]string { return tenants.Keys(t) }

// Draft implements backups.Tenancy.
func (y tenancy) Draft(ctx context.Context, want backups.Draft) (fleet.Tenant, error) {
	return y.app.tenants.Draft(ctx, want.From, tenants.CloneRequest{
		Name: want.Name.String(), Domains: want.Domains, Plan: want.Plan, Member: want.Member,
	})
}

// Place implements backups.Tenancy.
func (y tenancy) Place(ctx context.Context, t fleet.Tenant) (string, error) {
	return y.app.tenants.Place(ctx, t)
}

// Hold implements backups.Tenancy.
func (y tenancy) Hold(ctx context.Context, run *jobs.Run, name fleet.Name, reason string, longest time.Duration) error {
	if _, err := y.app.tenants.Hold(ctx, name, reason, longest); err != nil {
		return err
	}
	return y.hands.Hold(ctx, run, name)
}

// Resume implements backups.Tenancy.
func (y tenancy) Resume(ctx context.Context, name fleet.Name, reason string) error {
	_, err := y.app.tenants.Resume(ctx, name, reason)
	return err
}

// Estrange implements backups.Tenancy.
func (y tenancy) Estrange(ctx context.Context, t fleet.Tenant, mail bool) error {
	hooked, err := y.app.tenants.Personalized(ctx, t.Image)
	if err != nil {
		return err
	}
	return y.hands.Estrange(ctx, t, hooked, mail)
}

// Personalise implements backups.Tenancy.
func (y tenancy) Personalise(ctx context.Context, run *jobs.Run, t fleet.Tenant, mail bool) error {
	hooked, err := y.app.tenants.Personalized(ctx, t.Image)
	if err != nil {
		return err
	}
	return y.hands.Personalise(ctx, run, t, hooked, mail)
}

// Await implements backups.Tenancy.
func (y tenancy) Await(ctx context.Context, run *jobs.Run, t fleet.Tenant) error {
	return y.hands.Await(ctx, run, t)
}

// Refresh implements backups.Tenancy.
func (y tenancy) Refresh(ctx context.Context, instance string) error {
	return y.hands.Refresh(ctx, instance)
}

// Nudge implements backups.Tenancy.
func (y tenancy) Nudge(name fleet.Name) { y.hands.Show(name) }

// Policy implements backups.Tenancy.
func (y tenancy) Policy(ctx context.Context, t fleet.Tenant) (fleet.Policy, error) {
	if t.Policy == "" {
		return fleet.Policy{}, nil
	}
	p, err := y.app.store.Policy(ctx, t.Policy)
	if fleet.CodeOf(err) == fleet.NotFound {
		return fleet.Policy{}, nil
	}
	p.TimeZone = snapshots.ZoneOf(t, p)
	return p, err
}
