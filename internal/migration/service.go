package migration

import (
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// DefaultMostHold is how long visitors may wait in a move that says nothing of it. The proxy's
// gates keep a request for 30 s by default.
const DefaultMostHold = 20 * time.Second

// Once makes a request idempotent: see jobs.Request.
type Once struct{ Key, Hash string }

// Request asks for a move.
type Request struct {
	To       string        // member; empty: placement chooses
	MostHold time.Duration // that visitors may wait; 0: DefaultMostHold, or what gates allow if that is less
	// BytesPerSecond bounds the copy while the tenant runs; 0: it does not.
	BytesPerSecond fleet.Size
	// For is what it is part of, such as "member/n1", which is drained.
	For string
	// Group is what a move in a window is one of.
	Group Group
}

// Estimate is what a move would do.
type Estimate struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Why the target was chosen, or is the only one.
	Why string `json:"why"`
	// Bytes are what the tenant holds on its own; what it shares with its golden image is sent
	// too where LXD cannot tell it apart.
	Bytes fleet.Size    `json:"bytes"`
	Copy  time.Duration `json:"copy_ns"` // expected, at copyRate
	Hold  time.Duration `json:"hold_ns"` // expected; 0 for a tenant that does not run
}

// copyRate is what a copy between members moves in a second, on one disk and without a network
// to speak of; see docs/performance.md.
const copyRate = 60 * fleet.MiB

// Place chooses a member for a tenant to move to: to, or, where that is empty, the best one that
// is not its own. Errors are those of placement, which say for each member why not.
type Place func(ctx context.Context, t fleet.Tenant, to string) (member, why string, err error)

// ServiceDeps is what a Service works with.
type ServiceDeps struct {
	LXD     LXD
	Store   Store
	Tenants Tenants
	Jobs    JobBook
	Planner Planner
	Place   Place
	Submit  Submitter
	// StopTimeout bounds a clean stop. 0: that of the tenants.
	StopTimeout time.Duration
	// GateTime is how long the proxies' gates keep a request. 0: they do not say.
	GateTime time.Duration
}

// Service takes in requests for moves.
type Service struct{ ServiceDeps }

// NewService makes a Service.
func NewService(deps ServiceDeps) *Service { return &Service{deps} }

// Move makes a job that moves the tenant. fleet.Conflict for one that is there already, is in the
// trash, or whose instance is missing; fleet.Busy while a job works on it; the errors of Place.
func (s *Service) Move(ctx context.Context, name fleet.Name, req Request, once Once) (fleet.Job, error) {
	request := jobs.Request{Kind: KindMove, Subject: subject(name), Key: once.Key, KeyHash: once.Hash, Args: moveState{}}
	if repeated, err := s.repeated(ctx, once.Key); err != nil || repeated {
		if err != nil {
			return fleet.Job{}, err
		}
		return s.Submit.Submit(ctx, request) // gives the job of before
	}
	p, err := s.plan(ctx, name, req)
	if err != nil {
		return fleet.Job{}, err
	}
	request.Args = moveState{
		ID: p.tenant.ID, Name: p.tenant.Name, From: p.inst.Location, To: p.to, WasUp: p.inst.Status == fleet.InstanceRunning,
		StopTimeout: s.StopTimeout, MostHold: p.mostHold, BytesPerSecond: req.BytesPerSecond, For: req.For,
	}
	job, err := s.Submit.Submit(ctx, request)
	if err != nil {
		s.Tenants.GiveUpPlace(name)
	}
	return job, err
}

// repeated reports whether a request with the key has made a job: what was asked for then may be
// done by now, and must not be refused for that.
func (s *Service) repeated(ctx context.Context, key string) (bool, error) {
	if key == "" {
		return false, nil
	}
	found, err := s.Jobs.Jobs(ctx, jobs.JobFilter{Key: key, Limit: 1})
	if err != nil {
		return false, fmt.Errorf("look for an earlier request: %w", err)
	}
	return len(found) > 0, nil
}

func subject(name fleet.Name) string { return "tenant/" + name.String() }

// Estimate tells what Move would do, and does nothing. Errors as Move.
func (s *Service) Estimate(ctx context.Context, name fleet.Name, req Request) (Estimate, error) {
	p, err := s.plan(ctx, name, req)
	if err != nil {
		return Estimate{}, err
	}
	s.Tenants.GiveUpPlace(name)
	used, err := s.LXD.DiskUsed(ctx, name.String())
	if err != nil {
		return Estimate{}, fmt.Errorf("read what %s takes on its pool: %w", name, err)
	}
	e := Estimate{From: p.inst.Location, To: p.to, Why: p.why, Bytes: used}
	rate := copyRate
	if req.BytesPerSecond > 0 {
		rate = min(rate, req.BytesPerSecond)
	}
	e.Copy = time.Duration(float64(used) / float64(rate) * float64(time.Second))
	if p.inst.Status == fleet.InstanceRunning {
		e.Hold = fixed
	}
	return e, nil
}

// planned is a move that can be begun.
type planned struct {
	tenant   fleet.Tenant
	inst     fleet.Instance
	to, why  string
	mostHold time.Duration
}

func (s *Service) plan(ctx context.Context, name fleet.Name, req Request) (p planned, err error) {
	if p.mostHold, err = s.mostHold(req); err != nil {
		return p, err
	}
	if p.tenant, err = s.Store.Tenant(ctx, name); err != nil {
		return p, err
	}
	if p.tenant.Desired == fleet.DesiredRemoved || !p.tenant.Ready {
		return p, fleet.Errorf(fleet.Conflict, "tenant %s is not in service", name).
			WithHint("lxdfleet tenant show %s tells its state", name)
	}
	p.inst, err = s.LXD.Instance(ctx, name.String())
	if fleet.CodeOf(err) == fleet.NotFound {
		return p, fleet.Errorf(fleet.Conflict, "the instance of tenant %s is missing from LXD", name).
			WithHint("restore it from a backup: lxdfleet backup list %s", name)
	}
	if err != nil {
		return p, fmt.Errorf("read instance %s: %w", name, err)
	}
	if req.To == p.inst.Location {
		return p, fleet.Errorf(fleet.Conflict, "tenant %s is on %s already", name, req.To).WithField("to").
			WithHint("name another member: lxdfleet member list")
	}
	if err = s.free(ctx, name); err != nil {
		return p, err
	}
	p.to, p.why, err = s.Place(ctx, p.tenant, req.To)
	return p, err
}

// free fails with fleet.Busy while a job works on the tenant, or backs it up.
func (s *Service) free(ctx context.Context, name fleet.Name) error {
	for _, subject := range []string{subject(name), "backup/" + name.String()} {
		found, err := s.Jobs.Jobs(ctx, jobs.JobFilter{Subject: subject, Unfinished: true, Limit: 1})
		if err != nil {
			return fmt.Errorf("list jobs: %w", err)
		}
		if len(found) > 0 {
			return fleet.Errorf(fleet.Busy, "tenant %s is busy with job %s (%s)", name, found[0].ID, found[0].Kind).
				WithHint("wait for it: lxdfleet job watch %s", found[0].ID)
		}
	}
	return nil
}

func (s *Service) mostHold(req Request) (time.Duration, error) {
	switch {
	case req.MostHold < 0 || req.MostHold > 10*time.Minute:
		return 0, fleet.Errorf(fleet.Invalid, "a hold of %s", req.MostHold).WithField("max_hold").WithHint("give more than 0 and at most 10m")
	case s.GateTime > 0 && req.MostHold > s.GateTime:
		return 0, fleet.Errorf(fleet.Invalid, "a hold of %s is longer than requests may wait at the proxy, which is %s", req.MostHold, s.GateTime).
			WithField("max_hold").WithHint("raise proxy.hold_timeout in the configuration first")
	case req.BytesPerSecond < 0:
		return 0, fleet.Errorf(fleet.Invalid, "a limit below nothing").WithField("limit").WithHint("give bytes each second, such as 50MiB")
	case req.MostHold > 0:
		return req.MostHold, nil
	case s.GateTime > 0:
		return min(DefaultMostHold, s.GateTime), nil
	}
	return DefaultMostHold, nil
}
