package bulk

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/batch"
)

const (
	// DefaultAtOnce is how many tenants' jobs are under way at a time where it is not said.
	DefaultAtOnce = 4
	mostAtOnce    = 16
	// most is how many tenants one job may be for.
	most = 10_000
	// mostJobs is how many of these jobs may be under way: each takes a place of the job engine
	// that those of the tenants need. As many may wait for their time.
	mostJobs = 8
	// farthest is how far ahead one can be planned.
	farthest = 90 * 24 * time.Hour
)

// Once makes a request idempotent: see jobs.Request.
type Once struct{ Key, Hash string }

// Request is what is to be done to each tenant.
type Request struct {
	Action Action `json:"action"`
	// AtOnce is how many are under way at a time. 0: DefaultAtOnce.
	AtOnce int `json:"at_once,omitempty"`
	// Timeout bounds a clean stop, of Stop and Restart. 0: that of one tenant.
	Timeout time.Duration `json:"timeout_ns,omitempty"`
	// To is the member of a Move. Empty: placement chooses for each.
	To string `json:"to,omitempty"`
	// MaxHold is how long the visitors of a tenant that is moved may wait, and BytesPerSecond bounds
	// its copy. 0: as of one tenant.
	MaxHold        time.Duration `json:"max_hold_ns,omitempty"`
	BytesPerSecond fleet.Size    `json:"bytes_per_second,omitempty"`
	// At is when a Move begins; zero: at once. InWindow: each tenant's move waits for its own window.
	At       time.Time `json:"at,omitzero"`
	InWindow bool      `json:"in_window,omitempty"`
	// Plan is that of a Resize.
	Plan string `json:"plan,omitempty"`
	// Note goes with each Snapshot or Backup.
	Note string `json:"note,omitempty"`
}

// Choice says to which tenants: those that are named, those the filter leaves, or all.
type Choice struct {
	Names  []fleet.Name
	Filter *fleet.TenantFilter
	All    bool
}

// Service takes in requests.
type Service struct {
	Store  Store
	Jobs   JobBook
	Engine Engine
	// Check fails where the request can be done to no tenant, such as with a plan that there is not.
	// Nil: nothing is looked at.
	Check func(ctx context.Context, r Request) error
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Begin makes a job, which waits for r.At where that is set. Who is chosen is decided now: of a filter,
// and of all, those in the trash, those that are not made yet, and those that are so already (stopped,
// on that member, with that plan) are left out. fleet.Invalid, with the field; fleet.NotFound where a
// name is nobody's, or nobody is chosen; fleet.Busy while too many of these jobs are under way; the
// errors of Check.
func (s *Service) Begin(ctx context.Context, r Request, who Choice, once Once) (fleet.Job, error) {
	if job, err := s.Engine.ByKey(ctx, once.Key, once.Hash); fleet.CodeOf(err) != fleet.NotFound {
		return job, err
	}
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	if err := s.check(ctx, r, who, now()); err != nil {
		return fleet.Job{}, err
	}
	names, err := s.choose(ctx, r, who)
	if err != nil {
		return fleet.Job{}, err
	}
	if err := s.room(ctx, r.At.After(now()), now()); err != nil {
		return fleet.Job{}, err
	}
	r.AtOnce = cmp.Or(r.AtOnce, DefaultAtOnce)
	job, err := s.Engine.Submit(ctx, jobs.Request{
		Kind: Kind, Subject: "bulk/" + fleet.NewID(now()), Args: state{Request: r, Tenants: names}, Key: once.Key, KeyHash: once.Hash, NotBefore: r.At,
	})
	if err != nil {
		return job, fmt.Errorf("%s %d tenants: %w", r.Action, len(names), err)
	}
	return job, nil
}

// choose names the tenants, by name.
func (s *Service) choose(ctx context.Context, r Request, who Choice) ([]string, error) {
	var filter fleet.TenantFilter
	if who.Filter != nil {
		filter = *who.Filter
	}
	if filter.Names = who.Names; len(who.Names) > most {
		return nil, tooMany()
	}
	filter.Limit = most + 1
	found, err := s.Store.Tenants(ctx, filter)
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	names, known := make([]string, 0, len(found)), make(map[fleet.Name]bool, len(found))
	for _, t := range found {
		if known[t.Name] = true; who.Names != nil || r.wants(t) {
			names = append(names, t.Name.String())
		}
	}
	for _, name := range who.Names {
		if !known[name] {
			return nil, fleet.Errorf(fleet.NotFound, "there is no tenant %s", name).WithField("tenants").WithHint("lxdfleet tenant list shows them")
		}
	}
	switch {
	case len(names) == 0:
		return nil, fleet.Errorf(fleet.NotFound, "there is no such tenant to %s", r.Action).WithField("selector").
			WithHint("lxdfleet tenant list shows them; those that are so already, and those in the trash, are left out")
	case len(found) > most:
		return nil, tooMany()
	}
	return names, nil
}

func tooMany() error {
	return fleet.Errorf(fleet.Invalid, "these are more than %d tenants", most).WithField("tenants").WithHint("do it in portions")
}

// room fails with fleet.Busy where there are enough of these jobs under way; planned: waiting for
// their time.
func (s *Service) room(ctx context.Context, planned bool, now time.Time) error {
	open, err := s.Jobs.Jobs(ctx, jobs.JobFilter{Kind: Kind, Unfinished: true, Limit: 4 * mostJobs})
	if err != nil {
		return fmt.Errorf("list jobs: %w", err)
	}
	var under, waiting []fleet.Job
	for _, j := range open {
		if batch.Planned(j, now) {
			waiting = append(waiting, j)
		} else {
			under = append(under, j)
		}
	}
	switch {
	case planned && (len(waiting) >= mostJobs || len(open) >= 2*mostJobs):
		return fleet.Errorf(fleet.Busy, "%d such jobs wait for their time, and %d are under way", len(waiting), len(under)).
			WithHint("wait for one, or cancel one: lxdfleet job list --kind %s --unfinished", Kind)
	case !planned && len(under) >= mostJobs:
		return fleet.Errorf(fleet.Busy, "%d such jobs are under way", len(under)).WithHint("wait for one: lxdfleet job watch %s", under[len(under)-1].ID)
	}
	return nil
}
