package tenants

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// View is a tenant with what was last seen of it. It costs no call to LXD.
type View struct {
	fleet.Tenant
	Status      fleet.TenantStatus
	Observation fleet.Observation
	JobID       string // the unfinished job that works on it, if one does
	// Problem says what an operator must put right; empty: nothing.
	Problem string
}

// Get gives one tenant; fleet.NotFound.
func (s *Service) Get(ctx context.Context, name fleet.Name) (View, error) {
	t, err := s.Store.Tenant(ctx, name)
	if err != nil {
		if fleet.CodeOf(err) == fleet.NotFound {
			return View{}, fleet.Errorf(fleet.NotFound, "there is no tenant %s", name).WithHint("lxdfleet tenant list shows them")
		}
		return View{}, fmt.Errorf("read tenant %s: %w", name, err)
	}
	job, _ := s.active(ctx, name)
	return s.view(t, job.ID), nil
}

// List gives the tenants the filter leaves, as it orders them.
func (s *Service) List(ctx context.Context, filter fleet.TenantFilter) ([]View, error) {
	list, err := s.choose(ctx, filter)
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	working, err := unfinished(ctx, s.Jobs)
	if err != nil {
		return nil, err
	}
	views := make([]View, len(list))
	for i, c := range list {
		views[i] = s.view(c.tenant, working[c.tenant.Name].ID)
		views[i].Status = cmp.Or(c.status, views[i].Status) // that by which it was found, and the list goes on after it
	}
	return views, nil
}

func (s *Service) view(t fleet.Tenant, jobID string) View {
	o := s.Observer.Observation(t)
	return View{Tenant: t, Status: fleet.StatusOf(t, o), Observation: o, JobID: jobID, Problem: s.Observer.Problem(t.ID)}
}

// unfinished gives the unfinished job of each tenant that has one.
func unfinished(ctx context.Context, book JobBook) (map[fleet.Name]fleet.Job, error) {
	list, err := book.Jobs(ctx, jobs.JobFilter{Unfinished: true, Limit: 100_000})
	if err != nil {
		return nil, fmt.Errorf("list unfinished jobs: %w", err)
	}
	found := make(map[fleet.Name]fleet.Job, len(list))
	for _, job := range list {
		if name, ok := strings.CutPrefix(job.Subject, "tenant/"); ok {
			found[fleet.Name(name)] = job
		}
	}
	return found, nil
}
