package migration

import (
	"cmp"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// KindMove is the kind of a job that moves a tenant; its subject is "tenant/NAME".
const KindMove = "tenant.move"

// Deps is what the steps work with.
type Deps struct {
	LXD     LXD
	Store   Store
	Tenants Tenants
	Jobs    JobBook
	// Mover takes in the moves of a shift; Planner makes its plans.
	Mover   Mover
	Planner Planner
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// crew gives the steps their hands.
type crew struct{ Deps }

// Register makes the kinds known to the engine.
func Register(reg *jobs.Registry, deps Deps) error {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	c := &crew{deps}
	return cmp.Or(
		jobs.Register(reg, c.move()),
		jobs.Register(reg, c.drain()),
		jobs.Register(reg, c.restoreMember()),
		jobs.Register(reg, c.rebalance()),
		jobs.Register(reg, c.later()),
	)
}

// moveState is the state of tenant.move. All names are decided before it begins, or follow from
// the job's ID.
type moveState struct {
	ID   string     `json:"id"`
	Name fleet.Name `json:"name"`
	From string     `json:"from"` // members
	To   string     `json:"to"`
	// WasUp: the instance ran when the move was asked for.
	WasUp       bool          `json:"was_up"`
	StopTimeout time.Duration `json:"stop_timeout_ns,omitempty"`
	// MostHold is how long visitors may wait.
	MostHold time.Duration `json:"most_hold_ns"`
	// BytesPerSecond bounds the copy while the tenant runs; 0: it does not.
	BytesPerSecond fleet.Size `json:"bytes_per_second,omitempty"`
	// For is what it is part of, such as "member/n1", which is drained.
	For string `json:"for,omitempty"`
	// Autostart is LXD's boot.autostart of the original.
	Autostart string `json:"autostart,omitempty"`

	// KeepIDs: the copy has the original's user ids.
	KeepIDs bool `json:"keep_ids,omitempty"`
	// Marked: the pool's driver marks what was received. Fresh: for that, the copy does not become
	// the tenant itself, a clone of it does; see swap.
	Marked bool `json:"marked,omitempty"`
	Fresh  bool `json:"fresh,omitempty"`

	Passes []Pass `json:"passes,omitempty"`
	// Times are where the hold's seconds went.
	Times map[string]time.Duration `json:"times_ns,omitempty"`
	// HeldAt is when visitors began to wait.
	HeldAt time.Time `json:"held_at,omitzero"`
	// Waited is how long they did, once they go on.
	Waited time.Duration `json:"waited_ns,omitempty"`
}

func (s *moveState) tenant() string { return s.Name.String() }

// facts: from which member to which, what the move is part of and how long requests waited, which is
// missing while they may still have to, and of a tenant that did not run.
func (s *moveState) facts() map[string]string {
	facts := map[string]string{"from": s.From, "to": s.To}
	if s.For != "" {
		facts["for"] = s.For
	}
	if s.WasUp && s.Waited > 0 {
		facts["waited"] = s.Waited.Round(10 * time.Millisecond).String()
	}
	return facts
}

// move is the two-phase move.
func (c *crew) move() jobs.Kind[moveState] {
	return jobs.Kind[moveState]{
		Name:    KindMove,
		Version: 1,
		Steps: []jobs.Step[moveState]{
			// Undo: the copy and the snapshots for it go.
			{Name: "copy", Do: c.copyAll, Undo: c.uncopy},
			// No undo: it is that of copy.
			{Name: "catch up", Do: c.catchUp},
			// Undo: visitors go on.
			{Name: "hold", Do: c.hold, Undo: c.unhold},
			// Undo: the original runs again, if it ran. What was sent goes with the copy.
			{Name: "last pass", Do: c.lastPass, Undo: c.unstop},
			// Undo: each instance has its name again.
			{Name: "swap", Do: c.swap, Undo: c.unswap},
			// Undo: the copy, which no visitor has reached, is stopped.
			{Name: "start", Do: c.start, Undo: c.unstart},
			{Name: "await", Do: c.await},
			// From here the copy is the tenant.
			{Name: "release", Do: c.release},
			{Name: "clean", Do: c.clean},
		},
		Commit: "release",
		Facts:  func(s moveState) map[string]string { return s.facts() },
	}
}
