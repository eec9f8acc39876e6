package backups

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Deps are the things backups work with.
type Deps struct {
	LXD       LXD
	Store     Store
	Vault     *Vault
	Snapshots Snapshots
	Readers   Readers
	Tenants   Tenancy
	Policies  Policies
	Images    Images
	Lister    Lister
	// KeepOld is how long the instance is kept that a restore in place replaced, where there was no
	// room for a snapshot of it. Default a day; negative: not at all.
	KeepOld time.Duration
	// StopTimeout bounds a clean stop. Default a minute.
	StopTimeout time.Duration
	// Now tells the time; nil: time.Now.
	Now func() time.Time
	// Event is told what happened; nil: nobody is told.
	Event func(fleet.Event)
	Log   *slog.Logger // nil: dropped
}

// Policies keeps the policies that say what is done when.
type Policies interface {
	Policies(ctx context.Context) ([]fleet.Policy, error)
	// RestorePolicy stores a policy as it is, where there is none of its name.
	RestorePolicy(ctx context.Context, p fleet.Policy) error
}

func (d Deps) withDefaults() Deps {
	d.KeepOld = cmp.Or(d.KeepOld, 24*time.Hour)
	d.StopTimeout = cmp.Or(d.StopTimeout, time.Minute)
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Event == nil {
		d.Event = func(fleet.Event) {}
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return d
}

// tell raises an event.
func (d Deps) tell(kind, subject string, data any) {
	d.Event(fleet.Event{Type: kind, Subject: subject, Data: data, At: d.Now()})
}

// Service checks requests about backups and makes jobs of them. What it refuses, it refuses
// before anything is changed, with an error that says what to do.
type Service struct {
	Deps
	jobs Jobs
}

// NewService makes a Service.
func NewService(deps Deps, jobs Jobs) *Service {
	return &Service{Deps: deps.withDefaults(), jobs: jobs}
}

// Once identifies a request, so that it is done once although it is sent twice. The zero
// value does not.
type Once struct {
	Key  string // the client's idempotency key
	Hash string // of the whole request
}

// Subjects of jobs. A backup does not hold up what is done to its tenant otherwise, so it is not
// the tenant that is busy with it.
func ofTenant(name fleet.Name) string { return "tenant/" + name.String() }
func ofBackup(name fleet.Name) string { return "backup/" + name.String() }
func ofDrill(name fleet.Name) string  { return "drill/" + name.String() }
func ofEntry(id string) string        { return "backup-id/" + id }

const (
	ofVerify  = "backups/verify"
	ofPrune   = "backups/prune"
	ofControl = "backups/control"
)

func (s *Service) submit(ctx context.Context, kind, subject string, args any, once Once) (fleet.Job, error) {
	job, err := s.jobs.Submit(ctx, jobs.Request{Kind: kind, Subject: subject, Args: args, Key: once.Key, KeyHash: once.Hash})
	if fleet.CodeOf(err) != fleet.Busy {
		return job, err
	}
	other, look := s.jobs.List(ctx, jobs.JobFilter{Subject: subject, Unfinished: true, Limit: 1})
	if look != nil || len(other) == 0 {
		return fleet.Job{}, err
	}
	what := strings.Replace(subject, "/", " ", 1)
	if other[0].State == fleet.JobStuck {
		return fleet.Job{}, fleet.Errorf(fleet.Busy, "%s has job %s (%s), which is stuck: %s", what, other[0].ID, other[0].Kind, other[0].Error).
			WithHint("mend the cause and retry it: lxdfleet job retry %s", other[0].ID)
	}
	return fleet.Job{}, fleet.Errorf(fleet.Busy, "%s is busy with job %s (%s)", what, other[0].ID, other[0].Kind).
		WithHint("wait for it: lxdfleet job watch %s; or stop it: lxdfleet job cancel %s", other[0].ID, other[0].ID)
}

// replayed gives the job that an earlier request with the same key made.
func (s *Service) replayed(ctx context.Context, once Once) (fleet.Job, bool, error) {
	job, err := s.jobs.ByKey(ctx, once.Key, once.Hash)
	if fleet.CodeOf(err) == fleet.NotFound {
		return fleet.Job{}, false, nil
	}
	return job, err == nil, err
}

func (s *Service) tenant(ctx context.Context, name fleet.Name) (fleet.Tenant, error) {
	t, err := s.Store.Tenant(ctx, name)
	if fleet.CodeOf(err) == fleet.NotFound {
		return fleet.Tenant{}, fleet.Errorf(fleet.NotFound, "there is no tenant %s", name).WithHint("lxdfleet tenant list shows them")
	}
	if err != nil {
		return fleet.Tenant{}, fmt.Errorf("read tenant %s: %w", name, err)
	}
	if !t.Ready {
		return fleet.Tenant{}, fleet.Errorf(fleet.Conflict, "tenant %s is not there yet", name).WithHint("wait until it is created")
	}
	return t, nil
}

// Backup gives one backup by its id, or by a beginning of it that no other has; fleet.NotFound.
func (s *Service) Backup(ctx context.Context, id string) (fleet.Backup, error) {
	b, err := s.Store.Backup(ctx, id)
	if fleet.CodeOf(err) != fleet.NotFound || len(id) < 4 {
		return b, err
	}
	all, look := s.Store.Backups(ctx, fleet.BackupFilter{})
	if look != nil {
		return fleet.Backup{}, look
	}
	if found, look := byID(all, id, "backup"); fleet.CodeOf(look) != fleet.NotFound {
		return found, look
	}
	return fleet.Backup{}, err
}

// byID finds the one of the list that has the id, or a beginning of it that no other has. field is
// what the request has it in.
func byID(list []fleet.Backup, id, field string) (fleet.Backup, error) {
	var found []fleet.Backup
	for _, b := range list {
		if b.ID == id {
			return b, nil
		}
		if len(id) >= 4 && strings.HasPrefix(b.ID, id) {
			found = append(found, b)
		}
	}
	switch len(found) {
	case 0:
		return fleet.Backup{}, fleet.Errorf(fleet.NotFound, "there is no backup %s", id).WithField(field).
			WithHint("lxdfleet backup list shows them")
	case 1:
		return found[0], nil
	}
	return fleet.Backup{}, fleet.Errorf(fleet.Invalid, "%d backups begin with %s", len(found), id).WithField(field).
		WithHint("give more of its id")
}

// List gives the backups the filter leaves, newest first.
func (s *Service) List(ctx context.Context, filter fleet.BackupFilter) ([]fleet.Backup, error) {
	return s.Store.Backups(ctx, filter)
}

// Drills gives the drills the filter leaves, newest first.
func (s *Service) Drills(ctx context.Context, filter fleet.DrillFilter) ([]fleet.Drill, error) {
	return s.Store.Drills(ctx, filter)
}
