package bulk

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

const (
	// DefaultAtOnce is how many tenants' jobs are under way at a time where it is not said.
	DefaultAtOnce = 4
	mostAtOnce    = 16
	// most is how many tenants one job may be for.
	most = 10_000
	// mostJobs is how many of these jobs may be unfinished: each takes a place of the job engine
	// that those of the tenants need.
	mostJobs = 8
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
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Begin makes a job. Who is chosen is decided now: of a filter, and of all, those in the trash, those
// that are not made yet, and those that are so already (stopped, on that member) are left out.
// fleet.Invalid, with the field; fleet.NotFound where a name is nobody's, or nobody is chosen;
// fleet.Busy while too many of these jobs are under way.
func (s *Service) Begin(ctx context.Context, r Request, who Choice, once Once) (fleet.Job, error) {
	if job, err := s.Engine.ByKey(ctx, once.Key, once.Hash); fleet.CodeOf(err) != fleet.NotFound {
		return job, err
	}
	if err := r.check(who); err != nil {
		return fleet.Job{}, err
	}
	names, err := s.choose(ctx, r, who)
	if err != nil {
		return fleet.Job{}, err
	}
	if err := s.room(ctx); err != nil {
		return fleet.Job{}, err
	}
	r.AtOnce = cmp.Or(r.AtOnce, DefaultAtOnce)
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	job, err := s.Engine.Submit(ctx, jobs.Request{
		Kind: Kind, Subject: "bulk/" + fleet.NewID(now()), Args: state{Request: r, Tenants: names}, Key: once.Key, KeyHash: once.Hash,
	})
	if err != nil {
		return job, fmt.Errorf("%s %d tenants: %w", r.Action, len(names), err)
	}
	return job, nil
}

func (r Request) check(who Choice) error {
	ways := 0
	for _, given := range []bool{who.Names != nil, who.Filter != nil, who.All} {
		if given {
			ways++
		}
	}
	switch {
	case !r.Action.known():
		return fleet.Errorf(fleet.Invalid, "%q is nothing that can be done to tenants at once", r.Action).WithField("action").
			WithHint("use one of %v", Actions())
	case ways != 1:
		return fleet.Errorf(fleet.Invalid, "which tenants is said in %d ways", ways).WithField("tenants").
			WithHint("give exactly one of tenants (names), selector, and all")
	case who.Filter != nil && who.Filter.Empty():
		return fleet.Errorf(fleet.Invalid, "the selector is empty").WithField("selector").WithHint("say all: true to mean all tenants")
	case r.Action == Delete && who.Names == nil:
		return fleet.Errorf(fleet.Invalid, "tenants are deleted by their names only").WithField("tenants").WithHint("name them")
	case r.AtOnce < 0 || r.AtOnce > mostAtOnce:
		return fleet.Errorf(fleet.Invalid, "%d at once", r.AtOnce).WithField("at_once").WithHint("give 1 to %d", mostAtOnce)
	case r.Timeout < 0 || r.Timeout > time.Hour:
		return fleet.Errorf(fleet.Invalid, "a timeout of %s", r.Timeout).WithField("timeout").WithHint("give more than 0 and at most 1h")
	case r.Timeout != 0 && r.Action != Stop && r.Action != Restart:
		return fleet.Errorf(fleet.Invalid, "%s takes no timeout", r.Action).WithField("timeout").WithHint("leave it out")
	case r.To != "" && r.Action != Move:
		return fleet.Errorf(fleet.Invalid, "%s goes to no member", r.Action).WithField("to").WithHint("leave it out")
	case r.Note != "" && r.Action != Snapshot && r.Action != Backup:
		return fleet.Errorf(fleet.Invalid, "%s takes no note", r.Action).WithField("note").WithHint("leave it out")
	case !utf8.ValidString(r.Note) || utf8.RuneCountInString(r.Note) > 200 || slices.ContainsFunc([]rune(r.Note), func(c rune) bool { return !unicode.IsPrint(c) }):
		return fleet.Errorf(fleet.Invalid, "this is no note").WithField("note").WithHint("use one line of at most 200 characters")
	}
	return nil
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

func (s *Service) room(ctx context.Context) error {
	open, err := s.Jobs.Jobs(ctx, jobs.JobFilter{Kind: Kind, Unfinished: true, Limit: mostJobs + 1})
	if err != nil {
		return fmt.Errorf("list jobs: %w", err)
	}
	if len(open) >= mostJobs {
		return fleet.Errorf(fleet.Busy, "%d such jobs are under way", len(open)).WithHint("wait for one: lxdfleet job watch %s", open[len(open)-1].ID)
	}
	return nil
}
