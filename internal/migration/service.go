package migration

import (
	"cmp"
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

// MoveRequest asks for a move.
type MoveRequest struct {
	To       string        // member; empty: placement chooses
	MostHold time.Duration // 0: DefaultMostHold
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
	Place   Place
	Submit  Submitter
	// StopTimeout bounds a clean stop. 0: that of the tenants.
	StopTimeout time.Duration
}

// Service takes in requests for moves.
type Service struct{ ServiceDeps }

// NewService makes a Service.
func NewService(deps ServiceDeps) *Service { return &Service{deps} }

// Move makes a job that moves the tenant. fleet.Conflict for one that is there already, is in the
// trash, or whose instance is missing; the errors of Place.
func (s *Service) Move(ctx context.Context, name fleet.Name, req MoveRequest, once Once) (fleet.Job, error) {
	t, inst, to, _, err := s.plan(ctx, name, req)
	if err != nil {
		return fleet.Job{}, err
	}
	return s.Submit.Submit(ctx, jobs.Request{
		Kind: KindMove, Subject: "tenant/" + name.String(), Key: once.Key, KeyHash: once.Hash,
		Args: moveState{
			ID: t.ID, Name: t.Name, From: inst.Location, To: to, WasUp: inst.Status == fleet.InstanceRunning,
			StopTimeout: s.StopTimeout, MostHold: cmp.Or(req.MostHold, DefaultMostHold),
		},
	})
}

// Estimate tells what Move would do, and does nothing. Errors as Move.
func (s *Service) Estimate(ctx context.Context, name fleet.Name, req MoveRequest) (Estimate, error) {
	t, inst, to, why, err := s.plan(ctx, name, req)
	if err != nil {
		return Estimate{}, err
	}
	used, err := s.LXD.DiskUsed(ctx, t.Name.String())
	if err != nil {
		return Estimate{}, fmt.Errorf("read what %s takes on its pool: %w", name, err)
	}
	e := Estimate{From: inst.Location, To: to, Why: why, Bytes: used}
	e.Copy = time.Duration(float64(used) / float64(copyRate) * float64(time.Second))
	if inst.Status == fleet.InstanceRunning {
		e.Hold = fixed
	}
	return e, nil
}

func (s *Service) plan(ctx context.Context, name fleet.Name, req MoveRequest) (t fleet.Tenant, inst fleet.Instance, to, why string, err error) {
	if req.MostHold < 0 || req.MostHold > 10*time.Minute {
		return t, inst, "", "", fleet.Errorf(fleet.Invalid, "a hold of %s", req.MostHold).WithField("max_hold").WithHint("give more than 0 and at most 10m")
	}
	if t, err = s.Store.Tenant(ctx, name); err != nil {
		return t, inst, "", "", err
	}
	if t.Desired == fleet.DesiredRemoved || !t.Ready {
		return t, inst, "", "", fleet.Errorf(fleet.Conflict, "tenant %s is not in service", name).
			WithHint("lxdfleet tenant show %s tells its state", name)
	}
	inst, err = s.LXD.Instance(ctx, name.String())
	if fleet.CodeOf(err) == fleet.NotFound {
		return t, inst, "", "", fleet.Errorf(fleet.Conflict, "the instance of tenant %s is missing from LXD", name).
			WithHint("restore it from a backup: lxdfleet backup list %s", name)
	}
	if err != nil {
		return t, inst, "", "", fmt.Errorf("read instance %s: %w", name, err)
	}
	if req.To == inst.Location {
		return t, inst, "", "", fleet.Errorf(fleet.Conflict, "tenant %s is on %s already", name, req.To).WithField("to").
			WithHint("name another member: lxdfleet member list")
	}
	to, why, err = s.Place(ctx, t, req.To)
	return t, inst, to, why, err
}
