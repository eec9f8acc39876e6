package snapshots

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/snapshots/schedule"
)

// Retention deletes, by jobs, the snapshots that nothing keeps: of each tenant after a snapshot
// by policy was taken, and of all from time to time. It also follows what is done to snapshots
// with lxc.
type Retention struct {
	Service *Service
	// Every is the time between two looks at all tenants. Default 10 min.
	Every time.Duration
	// Logger gets what cannot be done. Default: nothing is logged.
	Logger *slog.Logger

	mu    sync.Mutex
	dirty map[fleet.Name]bool // tenants to be looked at
	heard map[string]bool     // instances whose snapshots were changed in LXD
	bell  chan struct{}
}

// NewRetention makes a Retention.
func NewRetention(service *Service) *Retention {
	return &Retention{Service: service, dirty: map[fleet.Name]bool{}, heard: map[string]bool{}, bell: make(chan struct{}, 1)}
}

// JobEvent tells of a job; jobs.Options.OnEvent may call it.
func (r *Retention) JobEvent(job fleet.Job, event fleet.JobEvent) {
	name, ok := strings.CutPrefix(job.Subject, "tenant/")
	if !ok || event.Type != fleet.EventState || !fleet.JobState(event.Message).Finished() {
		return
	}
	r.mu.Lock()
	if job.Kind == KindCreate || r.dirty[fleet.Name(name)] {
		r.dirty[fleet.Name(name)] = true
	}
	r.mu.Unlock()
	r.ring()
}

func (r *Retention) ring() {
	select {
	case r.bell <- struct{}{}:
	default:
	}
}

// Run goes on until ctx ends.
func (r *Retention) Run(ctx context.Context) {
	if r.Every <= 0 {
		r.Every = 10 * time.Minute
	}
	ticker := time.NewTicker(r.Every)
	defer ticker.Stop()
	events := r.Service.LXD.Events(ctx)
	all := true
	for {
		if all {
			r.look(ctx, "snapshots cannot be looked through", r.Once)
		} else {
			r.look(ctx, "snapshots of tenants cannot be looked through", r.some)
		}
		all = false
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			all = true
		case <-r.bell:
		case e, ok := <-events:
			if !ok {
				return
			}
			all = r.hear(e)
		}
	}
}

func (r *Retention) look(ctx context.Context, wrong string, look func(context.Context) error) {
	if err := look(ctx); err != nil && ctx.Err() == nil && r.Logger != nil {
		r.Logger.Warn(wrong, "error", err)
	}
}

// hear notes what an event makes worth a look; true: everything.
func (r *Retention) hear(e fleet.LXDEvent) (all bool) {
	switch {
	case e.Action == fleet.EventsResumed:
		return true
	case strings.HasPrefix(e.Action, "instance-snapshot-") && e.Name != "":
		r.mu.Lock()
		r.heard[e.Name] = true
		r.mu.Unlock()
	}
	return false
}

// some looks at the tenants that there is news of.
func (r *Retention) some(ctx context.Context) error {
	r.mu.Lock()
	dirty, heard := r.dirty, r.heard
	r.dirty, r.heard = map[fleet.Name]bool{}, map[string]bool{}
	r.mu.Unlock()
	for name := range heard {
		dirty[fleet.Name(name)] = dirty[fleet.Name(name)]
	}
	var failure error
	for name, sweep := range dirty {
		t, err := r.Service.Store.Tenant(ctx, name)
		if err != nil {
			continue // it is no tenant's, or the tenant is gone; else the next look at all finds it
		}
		if heard[name.String()] {
			r.Service.Changed(name)
			if err := r.follow(ctx, t, nil); err != nil {
				failure = err
			}
		}
		if sweep {
			if err := r.sweep(ctx, t, nil); err != nil {
				failure = err
			}
		}
	}
	return failure
}

// Once looks at all tenants.
func (r *Retention) Once(ctx context.Context) error {
	s := r.Service
	records, err := s.Store.AllSnapshots(ctx)
	if err != nil {
		return fmt.Errorf("read what is known of snapshots: %w", err)
	}
	if len(records) == 0 {
		return nil
	}
	there, err := s.LXD.AllSnapshots(ctx)
	if err != nil {
		return fmt.Errorf("list all snapshots: %w", err)
	}
	tenants, err := s.Store.Tenants(ctx, fleet.TenantFilter{})
	if err != nil {
		return fmt.Errorf("list tenants: %w", err)
	}
	for _, t := range tenants {
		mine := records[t.ID]
		if len(mine) == 0 || ctx.Err() != nil {
			continue
		}
		if missing(t, mine, there) {
			if err := r.follow(ctx, t, mine); err != nil {
				return err
			}
		}
		if err := r.sweep(ctx, t, mine); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// missing reports whether LXD lacks a snapshot that there is a record of.
func missing(t fleet.Tenant, records map[string]fleet.Snapshot, there map[string][]fleet.InstanceSnapshot) bool {
	has := map[string]bool{}
	for _, n := range records {
		from := holder(t, n)
		for _, is := range there[from] {
			has[from+"/"+is.Name] = true
		}
	}
	for _, n := range records {
		if !has[holder(t, n)+"/"+n.Name] {
			return true
		}
	}
	return false
}

// follow forgets what is known of snapshots that LXD has no more: another of that name would
// get it. While a job works on the tenant nothing is forgotten.
func (r *Retention) follow(ctx context.Context, t fleet.Tenant, records map[string]fleet.Snapshot) (err error) {
	s := r.Service
	if records == nil {
		if records, err = s.Store.Snapshots(ctx, t.ID); err != nil {
			return err
		}
	}
	working, err := s.Jobs.Jobs(ctx, jobs.JobFilter{Subject: subject(t.Name), Unfinished: true, Limit: 1})
	if err != nil || len(working) > 0 {
		return err
	}
	has := map[string]map[string]bool{}
	for _, n := range records {
		from := holder(t, n)
		if has[from] == nil {
			there, err := s.LXD.Snapshots(ctx, from)
			if err != nil && (fleet.CodeOf(err) != fleet.NotFound || from == t.Name.String()) {
				return nil // its member is away, or it was renamed or deleted: the tenant tells
			}
			has[from] = map[string]bool{}
			for _, is := range there {
				has[from][is.Name] = true
			}
		}
		if has[from][n.Name] {
			continue
		}
		if err := s.Store.DeleteSnapshot(ctx, t.ID, n.Name); err != nil {
			return fmt.Errorf("forget snapshot %s of %s: %w", n.Name, t.Name, err)
		}
		r.log().Info("a snapshot was deleted in LXD", "tenant", t.Name, "snapshot", n.Name)
		s.Changed(t.Name)
	}
	return nil
}

// sweep makes the job that deletes what nothing keeps. A tenant that is busy is looked at again
// when it is not.
func (r *Retention) sweep(ctx context.Context, t fleet.Tenant, records map[string]fleet.Snapshot) (err error) {
	s := r.Service
	if t.Desired == fleet.DesiredRemoved {
		return nil
	}
	if records == nil {
		if records, err = s.Store.Snapshots(ctx, t.ID); err != nil {
			return err
		}
	}
	var policy fleet.Policy
	if t.Policy != "" {
		if policy, err = s.Store.Policy(ctx, t.Policy); err != nil && fleet.CodeOf(err) != fleet.NotFound {
			return err
		}
	}
	zone, err := schedule.Zone(ZoneOf(t, policy))
	if err != nil {
		return nil // the schedule tells of it
	}
	var all []fleet.Snapshot
	for _, n := range records {
		all = append(all, n)
	}
	var drop []string
	for _, v := range s.judge(all, policy, zone) {
		if !v.Kept {
			drop = append(drop, v.Name)
		}
	}
	if len(drop) == 0 {
		return nil
	}
	_, err = s.submit(ctx, KindDelete, t.Name, deleteState{TenantID: t.ID, Tenant: t.Name, Snapshots: drop, Policy: t.Policy}, Once{})
	if fleet.CodeOf(err) == fleet.Busy {
		r.mu.Lock()
		r.dirty[t.Name] = true // the end of the other job rings
		r.mu.Unlock()
		return nil
	}
	if err != nil {
		return fmt.Errorf("drop %d snapshots of %s: %w", len(drop), t.Name, err)
	}
	return nil
}

func (r *Retention) log() *slog.Logger {
	if r.Logger != nil {
		return r.Logger
	}
	return slog.New(slog.DiscardHandler)
}
