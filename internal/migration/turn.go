package migration

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/batch"
	"github.com/lxdfleet/lxdfleet/internal/snapshots/schedule"
)

// Group is the planned moves that one job has submitted: those whose windows are open take turns.
type Group struct {
	Job    string `json:"job,omitempty"` // empty: none
	AtOnce int    `json:"at_once,omitempty"`
}

const (
	// turnTime is about how long a move takes; a move that waits for its turn looks again after it,
	// times the rounds there are before it.
	turnTime = 5 * time.Second
	// longestTurn is the longest it goes without a look.
	longestTurn = 5 * time.Minute
	// mostPlanned is how many moves one job may plan.
	mostPlanned = 10_000
)

// moveInTurn moves the tenant once fewer than AtOnce of its group that came before it are left. Who comes
// first is the same for all of them, so that no two take one turn.
func (c *crew) moveInTurn(ctx context.Context, run *jobs.Run, s *shiftState) error {
	if s.Group.Job == "" || s.Group.AtOnce < 1 || len(s.Plan) != 1 {
		return c.shiftAll(ctx, run, s)
	}
	begun, err := c.Jobs.Jobs(ctx, jobs.JobFilter{Parent: run.JobID, Limit: 1})
	if err != nil {
		return fmt.Errorf("read what was begun: %w", err)
	}
	if len(begun) > 0 {
		return c.shiftAll(ctx, run, s)
	}
	ahead, err := c.ahead(ctx, run.JobID, s)
	if err != nil {
		return err
	}
	if rounds := ahead / s.Group.AtOnce; rounds > 0 {
		run.Progress(fleet.Progress{Message: fmt.Sprintf("waits for its turn, after %d others of job %s", ahead, s.Group.Job)})
		return jobs.Later(c.Now().Add(min(time.Duration(rounds)*turnTime, longestTurn)))
	}
	opens, err := c.opens(ctx, fleet.Name(s.Plan[0].Tenant))
	if err != nil {
		return err
	}
	if opens.After(c.Now()) {
		run.Progress(fleet.Progress{Message: "its window is over; it waits for the next, at " + opens.Format(time.RFC3339)})
		return jobs.Later(opens)
	}
	return c.shiftAll(ctx, run, s)
}

// ahead counts the moves of the group that are due before this one and not finished.
func (c *crew) ahead(ctx context.Context, id string, s *shiftState) (n int, err error) {
	group, err := c.Jobs.Jobs(ctx, jobs.JobFilter{Parent: s.Group.Job, Kind: KindLater, Unfinished: true, Limit: mostPlanned})
	if err != nil {
		return 0, fmt.Errorf("list the moves that were planned together: %w", err)
	}
	now := c.Now()
	for _, j := range group {
		var other shiftState
		if j.ID == id || j.State.Finished() || batch.Planned(j, now) || j.NotBefore.After(now.Add(longestTurn)) || json.Unmarshal(j.Args, &other) != nil {
			continue // stuck ones are finished, and others wait for a window
		}
		if cmp.Or(other.At.Compare(s.At), cmp.Compare(j.ID, id)) < 0 {
			n++
		}
	}
	return n, nil
}

// opens is when the tenant's window allows a move: now, or when it begins next. Without a window it is now.
func (c *crew) opens(ctx context.Context, name fleet.Name) (time.Time, error) {
	now := c.Now()
	t, err := c.Store.Tenant(ctx, name)
	if err != nil || t.Window == "" {
		return now, nil //nolint:nilerr // the move says what is wrong
	}
	window, err := fleet.ParseWindow(t.Window)
	if err != nil {
		return now, fmt.Errorf("read the window of %s: %w", name, err)
	}
	zone, err := schedule.Zone(t.TimeZone)
	if err != nil {
		return now, fmt.Errorf("read the time zone of %s: %w", name, err)
	}
	return window.Next(now.In(zone)), nil
}
