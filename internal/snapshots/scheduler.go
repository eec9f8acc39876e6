package snapshots

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/snapshots/schedule"
)

// Runner begins what a policy has due.
type Runner interface {
	// Kind is that of its jobs, which are counted against a member's share.
	Kind() string
	// Due makes the job of a run that was due at the given time. Done twice for one time it
	// gives the first job: two daemons may plan it. fleet.Busy has it tried again at the next
	// tick; any other error is logged, and the run is left out.
	Due(ctx context.Context, t fleet.Tenant, p fleet.Policy, at time.Time) (fleet.Job, error)
}

// Once of a run: the same for every daemon that plans it.
func onceOf(what string, t fleet.Tenant, at time.Time) Once {
	return Once{Key: fmt.Sprintf("policy/%s/%s/%d", what, t.ID, at.Unix()), Hash: what}
}

// Scheduler follows the policies of all tenants.
type Scheduler struct {
	Store Store
	Jobs  JobBook
	// Runners begin the runs, by what they are of: snapshots, backups, drills.
	Runners map[string]Runner
	// AtOnce is how many jobs of a policy, of one sort, each member has at once, at most.
	// Default 2.
	AtOnce int
	// AtOnceOf is AtOnce of those sorts that have a number of their own.
	AtOnceOf map[string]int
	// Every is the time between two ticks. Default 10 s.
	Every time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Logger gets what cannot be followed. Default: nothing is logged.
	Logger *slog.Logger

	planners   map[string]*schedule.Planner
	generation int64
	tenants    []fleet.Tenant // with a policy, as of generation
	told       map[string]string
}

// Run follows the policies until ctx ends.
func (s *Scheduler) Run(ctx context.Context) {
	if s.Every <= 0 {
		s.Every = 10 * time.Second
	}
	wait, failing := time.Duration(0), false
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		next, err := s.Once(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			s.log().Warn("policies cannot be followed; what is missed is caught up with", "error", err)
		} else if err == nil && failing {
			s.log().Info("policies are followed again")
		}
		failing = err != nil
		wait = s.Every
		if left := next.Sub(s.now()); err == nil && !next.IsZero() && left < wait {
			wait = max(left, 50*time.Millisecond)
		}
	}
}

// Once begins what is due now, and tells when something will be due next; zero: nothing will.
// It must not be called twice at once.
func (s *Scheduler) Once(ctx context.Context) (next time.Time, err error) {
	all, err := s.Store.Policies(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("list policies: %w", err)
	}
	policies := make(map[string]fleet.Policy, len(all))
	for _, p := range all {
		policies[p.Name] = p
	}
	if err := s.read(ctx); err != nil {
		return time.Time{}, err
	}
	for what, runner := range s.Runners {
		at, err := s.tick(ctx, what, runner, policies)
		if err != nil {
			return time.Time{}, err
		}
		if next.IsZero() || !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	return next, nil
}

// read reads the tenants anew where any has changed.
func (s *Scheduler) read(ctx context.Context) error {
	generation, err := s.Store.Generation(ctx)
	if err != nil {
		return fmt.Errorf("look for changes of tenants: %w", err)
	}
	if generation == s.generation && s.tenants != nil {
		return nil
	}
	all, err := s.Store.Tenants(ctx, fleet.TenantFilter{})
	if err != nil {
		return fmt.Errorf("list tenants: %w", err)
	}
	s.generation, s.tenants = generation, make([]fleet.Tenant, 0, len(all))
	for _, t := range all {
		if t.Policy != "" && t.Ready && t.Desired != fleet.DesiredRemoved {
			s.tenants = append(s.tenants, t)
		}
	}
	return nil
}

func (s *Scheduler) tick(ctx context.Context, what string, runner Runner, policies map[string]fleet.Policy) (time.Time, error) {
	marks, err := s.Store.ScheduleMarks(ctx, what)
	if err != nil {
		return time.Time{}, fmt.Errorf("read how far %s are: %w", what, err)
	}
	var items []schedule.Item
	at := map[string]int{} // where a tenant is in s.tenants, by id
	for i, t := range s.tenants {
		sched := schedules(policies[t.Policy])[what]
		if sched == nil {
			continue
		}
		at[t.ID] = i
		items = append(items, schedule.Item{
			ID: t.ID, Member: t.Member, Rule: schedule.Rule{Cron: sched.Cron, Zone: ZoneOf(t, policies[t.Policy])},
			Last: marks[t.ID].Last, LastRule: marks[t.ID].Rule,
		})
	}
	if len(items) == 0 {
		return time.Time{}, nil
	}
	room, err := s.room(ctx, what, runner.Kind())
	if err != nil {
		return time.Time{}, err
	}
	if s.planners == nil {
		s.planners, s.told = map[string]*schedule.Planner{}, map[string]string{}
	}
	if s.planners[what] == nil {
		s.planners[what] = &schedule.Planner{}
	}
	now := s.now()
	tick := s.planners[what].Plan(now, items, s.atOnce(what), room)
	for id, err := range tick.Broken {
		s.tell(what, s.tenants[at[id]], err)
	}
	followed := map[string]fleet.ScheduleMark{}
	mark := func(id string) {
		t := s.tenants[at[id]]
		rule := schedule.Rule{Cron: schedules(policies[t.Policy])[what].Cron, Zone: ZoneOf(t, policies[t.Policy])}
		followed[id] = fleet.ScheduleMark{Rule: rule.String(), Last: now}
	}
	for _, id := range tick.Begin {
		mark(id)
	}
	for _, run := range tick.Run {
		t := s.tenants[at[run.ID]]
		_, err := runner.Due(ctx, t, policies[t.Policy], run.At)
		if ctx.Err() != nil {
			break
		}
		switch fleet.CodeOf(err) {
		case fleet.Busy, fleet.Unavailable: // tried again at the next tick
			s.tell(what, t, err)
			continue
		case "":
			delete(s.told, what+t.ID)
		default:
			s.tell(what, t, err)
		}
		mark(run.ID)
	}
	if len(followed) > 0 {
		if err := s.Store.SaveScheduleMarks(context.WithoutCancel(ctx), what, followed); err != nil {
			return time.Time{}, fmt.Errorf("note how far %s are: %w", what, err)
		}
	}
	if tick.Waiting > 0 {
		return now.Add(time.Second), ctx.Err()
	}
	return tick.Next, ctx.Err()
}

// room is how many more jobs of a sort, which are of one kind, each member may get.
func (s *Scheduler) room(ctx context.Context, what, kind string) (map[string]int, error) {
	list, err := s.Jobs.Jobs(ctx, jobs.JobFilter{Kind: kind, Unfinished: true, Limit: 100_000})
	if err != nil {
		return nil, fmt.Errorf("list jobs of kind %s: %w", kind, err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	members := make(map[string]string, len(s.tenants))
	for _, t := range s.tenants {
		members[t.Name.String()] = t.Member
	}
	room := map[string]int{}
	for _, job := range list {
		_, name, _ := strings.Cut(job.Subject, "/") // tenant/, backup/ or drill/
		member, known := members[name]
		if !known || job.State == fleet.JobStuck {
			continue
		}
		if _, seen := room[member]; !seen {
			room[member] = s.atOnce(what)
		}
		room[member]--
	}
	return room, nil
}

// tell logs what cannot be followed, once.
func (s *Scheduler) tell(what string, t fleet.Tenant, err error) {
	if s.told[what+t.ID] == err.Error() {
		return
	}
	s.told[what+t.ID] = err.Error()
	s.log().Warn("a run of a policy cannot be begun", "what", what, "tenant", t.Name, "policy", t.Policy, "error", err)
}

func (s *Scheduler) atOnce(what string) int {
	if n := s.AtOnceOf[what]; n > 0 {
		return n
	}
	if s.AtOnce > 0 {
		return s.AtOnce
	}
	return 2
}

func (s *Scheduler) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Scheduler) log() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.New(slog.DiscardHandler)
}

// Kind implements Runner.
func (s *Service) Kind() string { return KindCreate }

// Due implements Runner: it makes the job of a snapshot that a policy has due.
func (s *Service) Due(ctx context.Context, t fleet.Tenant, p fleet.Policy, at time.Time) (fleet.Job, error) {
	once := onceOf(fleet.ScheduleSnapshots, t, at)
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	return s.submit(ctx, KindCreate, t.Name, createState{TenantID: t.ID, Snapshot: fleet.Snapshot{
		Tenant: t.Name, Name: p.Name + "-" + s.Now().UTC().Format(timeForm), Origin: fleet.OriginPolicy, Policy: p.Name,
	}}, once)
}
