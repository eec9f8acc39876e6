package tenants

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

// ServiceOptions tune a Service.
type ServiceOptions struct {
	// BaseDomain gives a tenant without domains the domain NAME.BaseDomain; empty: none.
	BaseDomain string
	// DefaultPlan is the plan of a request that names none. Default "small".
	DefaultPlan string
	// TrashFor is how long a removed tenant is kept. Default 7 days; negative: not at all.
	TrashFor time.Duration
	// StopTimeout bounds a clean stop where the request does not. Default DefaultStopTimeout.
	StopTimeout time.Duration
	// Verify says which domains have to be proven. Default VerifyAuto.
	Verify Verify
	// Target is the host name or address that domains are to lead to; empty: it is not known.
	Target string
	// Rules are the limits of placement. Default: placement.DefaultRules.
	Rules *placement.Rules
	// Targets are what a rebalance brings members under. Default: placement.DefaultTargets.
	Targets *placement.Targets
	// Rest is how long a rebalance leaves a tenant alone after a move. Default an hour;
	// negative: not at all.
	Rest time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// ServiceDeps is what a Service works with.
type ServiceDeps struct {
	LXD      LXD
	Store    Store
	Images   Images
	Jobs     JobBook
	Submit   Submitter
	Observer *Observer
	// DNS looks domains up. Default: the system's resolver.
	DNS Resolver
	// Certificates knows those of domains; nil: there are none.
	Certificates Certificates
	Gates        Gates // nil: there are no proxies
}

// Service checks requests about tenants and makes jobs of them. What it refuses, it refuses
// before anything is changed, with an error that names the field and says what to do.
type Service struct {
	ServiceDeps
	opt ServiceOptions

	placing sync.Mutex // one placement at a time, so that each sees the promise of the one before
	gauge   gauge
}

// NewService makes a Service.
func NewService(deps ServiceDeps, opt ServiceOptions) *Service {
	opt.DefaultPlan = cmp.Or(opt.DefaultPlan, "small")
	opt.Verify = cmp.Or(opt.Verify, VerifyAuto)
	if opt.Targets == nil {
		opt.Targets = new(placement.DefaultTargets())
	}
	opt.Rest = cmp.Or(opt.Rest, time.Hour)
	opt.TrashFor = cmp.Or(opt.TrashFor, 7*24*time.Hour)
	opt.StopTimeout = cmp.Or(opt.StopTimeout, DefaultStopTimeout)
	if opt.Rules == nil {
		opt.Rules = new(placement.DefaultRules())
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if deps.DNS == nil {
		deps.DNS = NewResolver("")
	}
	return &Service{ServiceDeps: deps, opt: opt}
}

// Once identifies a request, so that it is done once although it is sent twice. The zero
// value does not.
type Once struct {
	Key  string // the client's idempotency key
	Hash string // of the whole request
}

func subject(name fleet.Name) string { return "tenant/" + name.String() }

// submit asks for a job and explains a subject that is busy.
func (s *Service) submit(ctx context.Context, kind string, name fleet.Name, args any, once Once) (fleet.Job, error) {
	job, err := s.Submit.Submit(ctx, jobs.Request{
		Kind: kind, Subject: subject(name), Args: args, Key: once.Key, KeyHash: once.Hash,
	})
	if fleet.CodeOf(err) == fleet.Busy {
		if other, ok := s.active(ctx, name); ok {
			return fleet.Job{}, busy(name, other)
		}
	}
	return job, err
}

// active gives the unfinished job on the tenant.
func (s *Service) active(ctx context.Context, name fleet.Name) (fleet.Job, bool) {
	list, err := s.Jobs.Jobs(ctx, jobs.JobFilter{Subject: subject(name), Unfinished: true, Limit: 1})
	if err != nil || len(list) == 0 {
		return fleet.Job{}, false
	}
	return list[0], true
}

func busy(name fleet.Name, job fleet.Job) error {
	if job.State == fleet.JobStuck {
		return fleet.Errorf(fleet.Busy, "tenant %s has job %s (%s), which is stuck: %s", name, job.ID, job.Kind, job.Error).
			WithHint("mend the cause and retry it: lxdfleet job retry %s", job.ID)
	}
	return fleet.Errorf(fleet.Busy, "tenant %s is busy with job %s (%s)", name, job.ID, job.Kind).
		WithHint("wait for it: lxdfleet job watch %s; or stop it: lxdfleet job cancel %s", job.ID, job.ID)
}

// replayed gives the job an earlier request with the same key made, so that
// a repeated request is answered as the first was, whatever has become of the tenant since.
func (s *Service) replayed(ctx context.Context, once Once) (fleet.Job, bool, error) {
	if once.Key == "" {
		return fleet.Job{}, false, nil
	}
	list, err := s.Jobs.Jobs(ctx, jobs.JobFilter{Key: once.Key})
	if err != nil {
		return fleet.Job{}, false, fmt.Errorf("look for the request's job: %w", err)
	}
	for _, job := range list {
		if job.Key != once.Key {
			continue
		}
		if job.KeyHash != once.Hash {
			return fleet.Job{}, false, fleet.Errorf(fleet.Conflict, "this idempotency key was used for another request (job %s)", job.ID).
				WithHint("send a new key with a new request")
		}
		return job, true, nil
	}
	return fleet.Job{}, false, nil
}

// tenant reads a tenant that a request is about. While its creation has not stored it yet,
// or is being undone, the error is fleet.Busy and names the job.
func (s *Service) tenant(ctx context.Context, name fleet.Name) (fleet.Tenant, error) {
	t, err := s.Store.Tenant(ctx, name)
	if fleet.CodeOf(err) == fleet.NotFound {
		if job, ok := s.active(ctx, name); ok {
			return fleet.Tenant{}, busy(name, job)
		}
		return fleet.Tenant{}, fleet.Errorf(fleet.NotFound, "there is no tenant %s", name).
			WithHint("lxdfleet tenant list shows them")
	}
	if err != nil {
		return fleet.Tenant{}, fmt.Errorf("read tenant %s: %w", name, err)
	}
	return t, nil
}

// here fails with fleet.Conflict when the tenant's instance is missing or has another name.
func (s *Service) here(t fleet.Tenant) error {
	if problem := s.Observer.Problem(t.ID); problem != "" {
		return fleet.Errorf(fleet.Conflict, "tenant %s: %s", t.Name, problem).WithHint("do that, then try again")
	}
	o := s.Observer.Observation(t)
	if o.Status == fleet.InstanceError {
		return fleet.Errorf(fleet.Unavailable, "the member %s, where tenant %s is, is offline", o.Location, t.Name).
			WithHint("start LXD on it; its sites may go on meanwhile")
	}
	if !o.At.IsZero() && !o.Exists {
		return fleet.Errorf(fleet.Conflict, "the instance of tenant %s is missing from LXD", t.Name).
			WithHint("restore it from a backup, or delete the tenant: lxdfleet tenant delete --now %s", t.Name)
	}
	return nil
}
