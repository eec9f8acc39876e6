package jobs

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Options tune an Engine. The zero value is good for production.
type Options struct {
	// Workers is how many jobs run at once. Default 32.
	Workers int
	// Owner names this engine in leases, for people who look. Default: a new id.
	Owner string
	// Exclusive: no other process that lives uses Owner, because the caller holds a lock that
	// makes the name its own. Leases that an earlier process of that name left are then ended
	// at the start, instead of being waited for.
	Exclusive bool
	// LeaseTTL is how long after a crash another engine takes over. Default 15 s.
	LeaseTTL time.Duration
	// Heartbeat is the time between two renewals of a lease. Default: a third of LeaseTTL.
	Heartbeat time.Duration
	// PollInterval is how often the engine looks for jobs, and watchers for events, of other
	// processes; what this process does is noticed at once. Default 1 s.
	PollInterval time.Duration
	// RetryWindow is how long a step is tried again after it first failed with
	// fleet.Unavailable, before that counts as a failure. Default 2 min; negative: not at all.
	RetryWindow time.Duration
	// ForwardAttempts is how often a step at or after the commit point may fail before the job
	// is stuck. Default 8, which is about 15 s of back-off.
	ForwardAttempts int
	// UndoAttempts is how often an undo may fail before the job is stuck. Default 8.
	UndoAttempts int
	// UnknownGrace is how long a job of a kind or version this engine does not have is left to
	// other engines before it is stuck. Default 2 min.
	UnknownGrace time.Duration
	// Retention is how long finished jobs are kept. Default 30 days; negative: for ever.
	Retention time.Duration
	// DisableClaim makes an engine that submits, watches and cancels, but runs nothing.
	DisableClaim bool
	// Clock tells the time of leases and events. Default time.Now.
	Clock func() time.Time
	// Logger gets what an operator may want to know. Default: nothing is logged.
	Logger *slog.Logger
	// OnEvent is told each event that this engine stores, after it is stored and in order
	// within a job, with the job as it is then. A new job is told too, as an event of type
	// EventState with Seq 0 that is not stored. It must return soon and must not call the engine.
	OnEvent func(fleet.Job, fleet.JobEvent)
	// Faults are for tests.
	Faults Faults
}

// Faults lets tests break things on purpose. Nil fields do nothing.
type Faults struct {
	// BeforeDo makes a step fail before its Do is called.
	BeforeDo func(job fleet.Job, step string) error
	// AfterDo makes a step fail although its Do succeeded.
	AfterDo func(job fleet.Job, step string) error
	// RepeatDo has a step's Do called a second time after it succeeded, on the same state, as
	// after a crash just before its end was stored.
	RepeatDo func(job fleet.Job, step string) bool
	// RepeatUndo is the same for Undo.
	RepeatUndo func(job fleet.Job, step string) bool
	// AfterEvent is called after an event that is neither progress nor output was stored and
	// before anything else is done for the job.
	AfterEvent func(job fleet.Job, event fleet.JobEvent)
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.OnEvent == nil {
		o.OnEvent = func(fleet.Job, fleet.JobEvent) {}
	}
	o.Owner = cmp.Or(o.Owner, fleet.NewID(o.Clock()))
	o.Workers = cmp.Or(o.Workers, 32)
	o.LeaseTTL = cmp.Or(o.LeaseTTL, 15*time.Second)
	o.Heartbeat = cmp.Or(o.Heartbeat, o.LeaseTTL/3)
	o.PollInterval = cmp.Or(o.PollInterval, time.Second)
	o.RetryWindow = cmp.Or(o.RetryWindow, 2*time.Minute)
	o.ForwardAttempts = cmp.Or(o.ForwardAttempts, 8)
	o.UndoAttempts = cmp.Or(o.UndoAttempts, 8)
	o.UnknownGrace = cmp.Or(o.UnknownGrace, 2*time.Minute)
	o.Retention = cmp.Or(o.Retention, 30*24*time.Hour)
	return o
}
