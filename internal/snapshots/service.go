package snapshots

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Deps is what a Service works with.
type Deps struct {
	LXD     LXD
	Store   Store
	Jobs    JobBook
	Submit  Submitter
	Tenants Tenants
	Cloner  Cloner
	Readers *Readers
	Lister  Lister
	// Changed is told the name of a tenant whose snapshots changed; nil: nobody is. It must
	// return soon.
	Changed func(tenant fleet.Name)
	// PolicyChanged is told the name of a policy that changed.
	PolicyChanged func(policy string)
	// KeepSafety is how long a snapshot taken before a restore is kept. Default 7 days.
	KeepSafety time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Service checks requests about snapshots and policies and makes jobs of them. What it refuses,
// it refuses before anything is changed.
type Service struct{ Deps }

// NewService makes a Service.
func NewService(deps Deps) *Service {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Changed == nil {
		deps.Changed = func(fleet.Name) {}
	}
	if deps.PolicyChanged == nil {
		deps.PolicyChanged = func(string) {}
	}
	deps.KeepSafety = cmp.Or(deps.KeepSafety, 7*24*time.Hour)
	return &Service{deps}
}

// Once identifies a request, so that it is done once although it is sent twice. The zero value
// does not.
type Once struct {
	Key  string // the client's idempotency key
	Hash string // of the whole request
}

func subject(name fleet.Name) string { return "tenant/" + name.String() }

// submit asks for a job and explains a tenant that is busy.
func (s *Service) submit(ctx context.Context, kind string, name fleet.Name, args any, once Once) (fleet.Job, error) {
	job, err := s.Submit.Submit(ctx, jobs.Request{Kind: kind, Subject: subject(name), Args: args, Key: once.Key, KeyHash: once.Hash})
	if fleet.CodeOf(err) == fleet.Busy {
		if busy := s.busy(ctx, name); busy != nil {
			return fleet.Job{}, busy
		}
	}
	return job, err
}

// busy says which job works on the tenant; nil: none.
func (s *Service) busy(ctx context.Context, name fleet.Name) error {
	list, err := s.Jobs.Jobs(ctx, jobs.JobFilter{Subject: subject(name), Unfinished: true, Limit: 1})
	if err != nil || len(list) == 0 {
		return nil
	}
	job := list[0]
	if job.State == fleet.JobStuck {
		return fleet.Errorf(fleet.Busy, "tenant %s has job %s (%s), which is stuck: %s", name, job.ID, job.Kind, job.Error).
			WithHint("mend the cause and retry it: lxdfleet job retry %s", job.ID)
	}
	return fleet.Errorf(fleet.Busy, "tenant %s is busy with job %s (%s)", name, job.ID, job.Kind).
		WithHint("wait for it: lxdfleet job watch %s; or stop it: lxdfleet job cancel %s", job.ID, job.ID)
}

// replayed gives the job that an earlier request with the same key made.
func (s *Service) replayed(ctx context.Context, once Once) (fleet.Job, bool, error) {
	if once.Key == "" {
		return fleet.Job{}, false, nil
	}
	list, err := s.Jobs.Jobs(ctx, jobs.JobFilter{Key: once.Key, Limit: 1})
	if err != nil {
		return fleet.Job{}, false, fmt.Errorf("look for the request's job: %w", err)
	}
	if len(list) == 0 {
		return fleet.Job{}, false, nil
	}
	if list[0].KeyHash != once.Hash {
		return fleet.Job{}, false, fleet.Errorf(fleet.Conflict, "this idempotency key was used for another request (job %s)", list[0].ID).
			WithHint("send a new key with a new request")
	}
	return list[0], true, nil
}

// tenant reads a tenant; one in the trash too.
func (s *Service) tenant(ctx context.Context, name fleet.Name) (fleet.Tenant, error) {
	t, err := s.Store.Tenant(ctx, name)
	if fleet.CodeOf(err) == fleet.NotFound {
		if busy := s.busy(ctx, name); busy != nil {
			return fleet.Tenant{}, busy
		}
		return fleet.Tenant{}, fleet.Errorf(fleet.NotFound, "there is no tenant %s", name).WithHint("lxdfleet tenant list shows them")
	}
	if err != nil {
		return fleet.Tenant{}, fmt.Errorf("read tenant %s: %w", name, err)
	}
	return t, nil
}

// present reads a tenant that is in service, or stopped, and whose instance is there.
func (s *Service) present(ctx context.Context, name fleet.Name) (fleet.Tenant, error) {
	t, err := s.tenant(ctx, name)
	if err != nil {
		return fleet.Tenant{}, err
	}
	if !t.Ready {
		return fleet.Tenant{}, cmp.Or(s.busy(ctx, name), error(fleet.Errorf(fleet.Conflict, "tenant %s is not ready", name)))
	}
	if t.Desired == fleet.DesiredRemoved {
		return fleet.Tenant{}, fleet.Errorf(fleet.Conflict, "tenant %s is in the trash", name).
			WithHint("take it back first: lxdfleet tenant undelete %s", name)
	}
	o := s.Tenants.Seen(t)
	switch {
	case o.Status == fleet.InstanceError:
		return fleet.Tenant{}, fleet.Errorf(fleet.Unavailable, "the member %s, where tenant %s is, is offline", o.Location, name).
			WithHint("start LXD on it")
	case !o.At.IsZero() && !o.Exists:
		return fleet.Tenant{}, fleet.Errorf(fleet.Conflict, "the instance of tenant %s is missing from LXD", name).
			WithHint("restore it from a backup, or delete the tenant: lxdfleet tenant delete --now %s", name)
	}
	return t, nil
}
