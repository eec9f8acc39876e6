package tenants

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Candidate is an instance in the project that is no tenant's.
type Candidate struct {
	Name     string
	Status   fleet.InstanceStatus
	Location string
	Image    string // fingerprint
	// Obstacle says why it cannot be adopted as it is; empty where it can.
	Obstacle string
}

// Adoptable lists, by name, the instances that somebody made by hand, also copies of tenants.
// Those lxdfleet makes for itself are not among them.
func (s *Service) Adoptable(ctx context.Context) ([]Candidate, error) {
	now, err := s.Observer.roster.read(ctx)
	if err != nil {
		return nil, err
	}
	var found []Candidate
	for _, inst := range s.Observer.strays(now) {
		c := Candidate{Name: inst.Name, Status: inst.Status, Location: inst.Location, Image: inst.Image}
		if _, err := fleet.ParseName(inst.Name); err != nil {
			c.Obstacle = "its name is not one a tenant can have; rename it with lxc rename"
		} else if _, ok := now.name(fleet.Name(inst.Name)); ok {
			c.Obstacle = "a tenant has its name; rename it with lxc rename"
		}
		found = append(found, c)
	}
	return found, nil
}

// strays gives the instances, by name, that belong to no tenant and no job.
func (o *Observer) strays(now *rolls) []fleet.Instance {
	o.mu.Lock()
	defer o.mu.Unlock()
	var found []fleet.Instance
	for name, s := range o.seen {
		role := s.inst.Config[fleet.KeyRole]
		if ours(name) || unread(s.inst) || role != "" && role != fleet.RoleTenant {
			continue
		}
		if t, ok := now.id(s.inst.Config[fleet.KeyTenant]); ok {
			if own, _ := o.instanceOf(t); own == name {
				continue
			}
		} else if s.inst.Config[fleet.KeyTenant] != "" && s.inst.Config[fleet.KeyReady] != "true" {
			continue // half-made: the sweep's
		}
		found = append(found, s.inst)
	}
	slices.SortFunc(found, func(a, b fleet.Instance) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// AdoptRequest asks to take in an instance that was made by hand.
type AdoptRequest struct {
	Name    string // the instance's, and then the tenant's
	Plan    string // empty: the default plan
	Domains []string
	Health  *fleet.HealthCheck // nil: that of the golden image it was made from, or the default

	DisplayName, Contact string
	Labels               map[string]string
}

// Adopt makes a job that takes the instance in as a tenant. It is neither stopped nor
// started; the state it is in becomes the one that is wanted. Errors as of Create.
func (s *Service) Adopt(ctx context.Context, req AdoptRequest, once Once) (fleet.Job, error) {
	name, err := fleet.ParseName(req.Name)
	if err != nil {
		return fleet.Job{}, err
	}
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	inst, err := s.LXD.Instance(ctx, name.String())
	if fleet.CodeOf(err) == fleet.NotFound {
		return fleet.Job{}, fleet.Errorf(fleet.NotFound, "LXD has no instance %s", name).WithField("name").
			WithHint("lxdfleet tenant adoptable lists those there are")
	}
	if err != nil {
		return fleet.Job{}, fmt.Errorf("read instance %s: %w", name, err)
	}
	if role := inst.Config[fleet.KeyRole]; role != "" && role != fleet.RoleTenant {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "lxdfleet made the instance %s for itself", name).WithField("name").
			WithHint("it goes when its job is done")
	}
	t, err := s.draft(ctx, name, req.Domains, req.Plan)
	if err != nil {
		return fleet.Job{}, err
	}
	t.DisplayName, t.Contact, t.Labels = req.DisplayName, req.Contact, req.Labels
	if err := checkTexts(t); err != nil {
		return fleet.Job{}, err
	}
	t.Member, t.Desired = cmp.Or(inst.Location, "none"), fleet.DesiredStopped
	if inst.Status == fleet.InstanceRunning {
		t.Desired = fleet.DesiredRunning
	}
	if t.Image, t.Health, err = s.origin(ctx, inst); err != nil {
		return fleet.Job{}, err
	}
	if req.Health != nil {
		t.Health = *req.Health
	}
	if err := checkHealth(t.Health); err != nil {
		return fleet.Job{}, err
	}
	if job, ok := s.active(ctx, name); ok {
		return fleet.Job{}, busy(name, job)
	}
	if err := s.free(ctx, t); err != nil {
		return fleet.Job{}, err
	}
	keys := maps.Clone(inst.Config)
	maps.DeleteFunc(keys, func(k, _ string) bool { return !strings.HasPrefix(k, fleet.KeyPrefix) })
	return s.submit(ctx, KindAdopt, name, adoptState{Tenant: t, Profiles: inst.Profiles, Keys: keys}, once)
}

// origin gives the golden image the instance was made from, none where it is unknown, with
// the health check that goes with it.
func (s *Service) origin(ctx context.Context, inst fleet.Instance) (fleet.ImageRef, fleet.HealthCheck, error) {
	all, err := s.Images.GoldenImages(ctx)
	if err != nil {
		return fleet.ImageRef{}, fleet.HealthCheck{}, fmt.Errorf("list images: %w", err)
	}
	for _, g := range all {
		if g.Fingerprint != "" && g.Fingerprint == inst.Image {
			return g.Ref(), g.Health, nil
		}
	}
	return fleet.ImageRef{}, fleet.DefaultHealth(), nil
}
