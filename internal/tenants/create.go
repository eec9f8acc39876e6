package tenants

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/hooks"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// createState is the state of tenant.create. Everything is decided before the job begins:
// the tenant's id, its member, and the image's fingerprint.
type createState struct {
	Tenant      fleet.Tenant `json:"tenant"`
	Fingerprint string       `json:"fingerprint"`
	// Hook: the image may have a personalize hook.
	Hook bool `json:"hook"`
	// Address is what the instance said of itself after its hook; empty: ask LXD.
	Address string `json:"address,omitempty"`
	// Backend is where it answered its health check.
	Backend fleet.Backend `json:"backend,omitzero"`
	// From is what it is made of in place of the image; nil: the image.
	From *origin `json:"from,omitempty"`
}

func (s *createState) instance() string { return s.Tenant.Name.String() }

// create makes a tenant. It calls LXD as seldom as can be: clone, start and one exec; the keys
// are set with the clone, the address comes with the hook's answer, and the last key is
// written when the tenant serves already.
func (c *crew) create() jobs.Kind[createState] {
	return jobs.Kind[createState]{
		Name:    KindCreate,
		Version: 1,
		Steps: []jobs.Step[createState]{
			// Undo: name and domains are free again.
			{Name: "reserve", Do: c.reserve, Undo: c.unreserve},
			// Undo: the instance goes, if it is the one this job made.
			{Name: "clone", Do: c.clone, Undo: c.unclone},
			// No undo: a started clone is deleted like a stopped one.
			{Name: "start", Do: c.startClone},
			// No undo: what the hook did is inside the clone.
			{Name: "personalise", Do: c.personalise},
			{Name: "await", Do: c.awaitClone},
			// From here the tenant is in service; what remains is only written down.
			{Name: "activate", Do: c.activate},
			{Name: "mark", Do: c.markReady},
		},
		Commit: "activate",
	}
}

func (c *crew) reserve(ctx context.Context, _ *jobs.Run, s *createState) error {
	if err := c.Store.InsertTenant(ctx, s.Tenant); err != nil {
		return fmt.Errorf("reserve %s: %w", s.Tenant.Name, err)
	}
	c.Observer.Nudge(s.Tenant.Name)
	return nil
}

func (c *crew) unreserve(ctx context.Context, _ *jobs.Run, s *createState) error {
	if err := c.Store.DeleteTenant(ctx, s.Tenant.ID); err != nil {
		return fmt.Errorf("give up the name %s: %w", s.Tenant.Name, err)
	}
	c.Observer.survey.release(s.instance())
	c.Observer.Nudge(s.Tenant.Name)
	return nil
}

func (c *crew) clone(ctx context.Context, run *jobs.Run, s *createState) error {
	defer c.nursery.enter(s.Tenant.Member)()
	c.Observer.setMaking(s.instance(), true)
	config := keysOf(s.Tenant)
	config[fleet.KeyJob] = run.JobID
	err := c.LXD.EnsureClone(ctx, fleet.CloneSpec{
		Name: s.instance(), Fingerprint: s.Fingerprint, Member: s.Tenant.Member,
		Profiles: []string{"default", s.Tenant.Plan}, Config: config,
	}, run.Progress)
	if err != nil {
		return fmt.Errorf("clone %s from %s on %s: %w", s.Tenant.Name, s.Tenant.Image, s.Tenant.Member, err)
	}
	return nil
}

func (c *crew) unclone(ctx context.Context, run *jobs.Run, s *createState) error {
	if err := c.deleteOwn(ctx, run, s.instance(), fleet.KeyJob, run.JobID); err != nil {
		return err
	}
	c.Observer.setMaking(s.instance(), false)
	return nil
}

func (c *crew) startClone(ctx context.Context, _ *jobs.Run, s *createState) error {
	if err := c.nursery.wait(ctx, s.Tenant.Member); err != nil {
		return err
	}
	defer c.Observer.hold(s.instance())()
	if err := c.LXD.EnsureStarted(ctx, s.instance()); err != nil {
		return fmt.Errorf("start %s: %w", s.Tenant.Name, err)
	}
	return nil
}

func (c *crew) personalise(ctx context.Context, run *jobs.Run, s *createState) error {
	defer c.Observer.hold(s.instance())()
	address, err := c.runHook(ctx, run, s.Tenant, s.Hook, s.From.told())
	if err != nil {
		if fleet.CodeOf(err) == fleet.Failed {
			hooks.Autopsy(ctx, c.LXD, s.instance(), run.Output())
		}
		return err
	}
	if c.Direct == nil || c.Direct(ctx, s.Tenant.Member) {
		s.Address = address
	}
	return nil
}

func (c *crew) awaitClone(ctx context.Context, run *jobs.Run, s *createState) error {
	defer c.Observer.hold(s.instance())()
	backend, err := c.awaitHealthy(ctx, run, s.Tenant, fleet.Backend{Address: s.Address})
	if err != nil {
		if fleet.CodeOf(err) == fleet.Unhealthy {
			hooks.Autopsy(ctx, c.LXD, s.instance(), run.Output())
		}
		return err
	}
	s.Backend = backend
	return nil
}

func (c *crew) activate(ctx context.Context, run *jobs.Run, s *createState) error {
	defer c.Observer.hold(s.instance())()
	t, err := change(ctx, c.Store, s.Tenant.ID, func(t *fleet.Tenant) bool {
		was := t.Ready
		t.Ready, t.UpdatedAt = true, c.Now()
		return !was
	})
	if err != nil {
		return err
	}
	if _, err := c.Observer.roster.read(ctx); err != nil {
		return err
	}
	config := keysOf(t)
	maps.Copy(config, map[string]string{fleet.KeyJob: run.JobID})
	c.Observer.settle(fleet.Instance{
		Name: s.instance(), Status: fleet.InstanceRunning, Location: t.Member, Config: config,
		Profiles: []string{"default", t.Plan}, Image: s.Fingerprint, CreatedAt: time.Now(),
	}, s.Backend, new(true))
	return c.shown(ctx, run)
}

func (c *crew) markReady(ctx context.Context, _ *jobs.Run, s *createState) error {
	err := c.LXD.SetConfig(ctx, s.instance(), map[string]string{fleet.KeyReady: "true"})
	if err != nil && fleet.CodeOf(err) != fleet.NotFound { // deleted by hand in this moment: the Observer tells
		return fmt.Errorf("mark %s as ready: %w", s.Tenant.Name, err)
	}
	c.Observer.setMaking(s.instance(), false)
	return nil
}
