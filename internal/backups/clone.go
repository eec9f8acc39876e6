package backups

import (
	"context"
	"fmt"
	"maps"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// cloneState is the state of backup.clone.
type cloneState struct {
	Backup fleet.Backup `json:"backup"`
	Kept   Keepsake     `json:"kept"`
	Tenant fleet.Tenant `json:"tenant"` // the new one, or the lost one as it was
	// From is the location of the repository; empty: the daemon's own.
	From string `json:"from,omitempty"`
	// Copy: the original may be there too. It gets secrets of its own where the image sees to it
	// and, without Mail, writes to nobody.
	Copy bool `json:"copy,omitempty"`
	Mail bool `json:"mail,omitempty"`
}

func (s *cloneState) instance() string { return s.Tenant.Name.String() }

// clone makes a tenant of a backup.
func (c *crew) clone() jobs.Kind[cloneState] {
	return jobs.Kind[cloneState]{
		Name:    KindClone,
		Version: 1,
		Steps: []jobs.Step[cloneState]{
			// Undo: name and domains are free again.
			{Name: "reserve", Do: c.reserve, Undo: c.unreserve},
			// Undo: the instance goes, if it is the one this job made.
			{Name: "fetch", Do: c.fetchClone, Undo: c.unfetchClone},
			// No undo: a started instance is deleted like a stopped one.
			{Name: "start", Do: c.startClone},
			{Name: "personalise", Do: c.personaliseClone},
			{Name: "await", Do: c.awaitClone},
			// From here the tenant is in service.
			{Name: "activate", Do: c.activate},
			{Name: "mark", Do: c.markReady},
		},
		Commit: "activate",
	}
}

func (c *crew) reserve(ctx context.Context, _ *jobs.Run, s *cloneState) error {
	s.Tenant.Ready = false
	if s.Tenant.Member == "" {
		member, err := c.Tenants.Place(ctx, s.Tenant)
		if err != nil {
			return err
		}
		s.Tenant.Member = member
	}
	if err := c.Store.InsertTenant(ctx, s.Tenant); err != nil {
		return fmt.Errorf("reserve %s: %w", s.Tenant.Name, err)
	}
	c.Tenants.Nudge(s.Tenant.Name)
	return nil
}

// unreserve leaves a tenant that was there before: reserve refused it.
func (c *crew) unreserve(ctx context.Context, _ *jobs.Run, s *cloneState) error {
	t, err := c.Store.TenantByID(ctx, s.Tenant.ID)
	if fleet.CodeOf(err) == fleet.NotFound || err == nil && t.Ready {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read tenant %s: %w", s.Tenant.Name, err)
	}
	if err := c.Store.DeleteTenant(ctx, s.Tenant.ID); err != nil {
		return fmt.Errorf("give up the name %s: %w", s.Tenant.Name, err)
	}
	c.Tenants.Nudge(s.Tenant.Name)
	return nil
}

func (c *crew) fetchClone(ctx context.Context, run *jobs.Run, s *cloneState) error {
	config := s.Kept.plain()
	maps.Copy(config, c.Tenants.Keys(s.Tenant))
	if !s.Copy { // it is the same again, also for the network
		maps.Copy(config, macs(s.Kept.Config))
	}
	err := c.fetch(ctx, run, s.From, s.Backup, fleet.CloneSpec{
		Name: s.instance(), Member: s.Tenant.Member, Profiles: s.Kept.profiles(s.Tenant.Plan), Config: config, Devices: s.Kept.Devices,
	})
	if err != nil || !s.Copy {
		return err
	}
	return c.Tenants.Estrange(ctx, s.Tenant, s.Mail)
}

func (c *crew) unfetchClone(ctx context.Context, run *jobs.Run, s *cloneState) error {
	return c.unfetch(ctx, run, s.instance())
}

func (s *cloneState) runs() bool { return s.Tenant.Desired == fleet.DesiredRunning }

func (c *crew) startClone(ctx context.Context, _ *jobs.Run, s *cloneState) error {
	if !s.runs() {
		return nil
	}
	if err := c.LXD.EnsureStarted(ctx, s.instance()); err != nil {
		return fmt.Errorf("start %s: %w", s.Tenant.Name, err)
	}
	return nil
}

func (c *crew) personaliseClone(ctx context.Context, run *jobs.Run, s *cloneState) error {
	if !s.Copy || !s.runs() {
		return nil
	}
	return c.Tenants.Personalise(ctx, run, s.Tenant, s.Mail)
}

func (c *crew) awaitClone(ctx context.Context, run *jobs.Run, s *cloneState) error {
	if !s.runs() {
		return nil
	}
	return c.Tenants.Await(ctx, run, s.Tenant)
}

func (c *crew) activate(ctx context.Context, _ *jobs.Run, s *cloneState) error {
	for tries := 0; ; tries++ {
		t, err := c.Store.TenantByID(ctx, s.Tenant.ID)
		if err != nil {
			return fmt.Errorf("read tenant %s: %w", s.Tenant.Name, err)
		}
		if t.Ready {
			break
		}
		t.Ready, t.UpdatedAt = true, c.Now()
		_, err = c.Store.UpdateTenant(ctx, t)
		if err == nil {
			break
		}
		if fleet.CodeOf(err) != fleet.Conflict || tries == 9 {
			return fmt.Errorf("write tenant %s: %w", s.Tenant.Name, err)
		}
	}
	if err := c.Tenants.Refresh(ctx, s.instance()); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return err
	}
	c.Tenants.Nudge(s.Tenant.Name)
	return nil
}

func (c *crew) markReady(ctx context.Context, _ *jobs.Run, s *cloneState) error {
	err := c.LXD.SetConfig(ctx, s.instance(), map[string]string{fleet.KeyReady: "true"})
	if err != nil && fleet.CodeOf(err) != fleet.NotFound { // deleted by hand in this moment
		return fmt.Errorf("mark %s as ready: %w", s.Tenant.Name, err)
	}
	c.tell("backup.restored", ofEntry(s.Backup.ID), s.Tenant.Name)
	return nil
}
