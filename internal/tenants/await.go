package tenants

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// awaitHealthy waits until the application answers its health check, within the check's
// timeout, and gives where it answers. It asks at a high rate at first: most of the
// time between start and first page is the application's own, and none should be added.
// backend may be known already; it is read anew while nothing answers there. The error is
// fleet.Unhealthy when the time is over.
func (c *crew) awaitHealthy(ctx context.Context, run *jobs.Run, t fleet.Tenant, backend fleet.Backend) (fleet.Backend, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Health.Timeout)
	defer cancel()
	pace, readAt := newPace(20*time.Millisecond, 250*time.Millisecond), time.Now()
	lookPace := newPace(20*time.Millisecond, 500*time.Millisecond)
	last := fmt.Errorf("%s has no address yet", t.Name)
	for {
		if !backend.Known() {
			found, err := c.backends(ctx, t)
			if ctx.Err() != nil {
				return fleet.Backend{}, c.unhealthy(ctx, run, t, last)
			}
			if err != nil && fleet.CodeOf(err) != fleet.Unavailable {
				return fleet.Backend{}, err
			}
			if len(found) == 0 {
				if lookPace.wait(ctx) != nil {
					return fleet.Backend{}, c.unhealthy(ctx, run, t, last)
				}
				continue
			}
			backend, readAt = found[0], time.Now()
		}
		err := c.Prober.Probe(ctx, backend.Dial(t.Health.Port), primary(t), t.Health)
		if err == nil {
			return backend, nil
		}
		if ctx.Err() == nil {
			last = err
		}
		if pace.wait(ctx) != nil {
			return fleet.Backend{}, c.unhealthy(ctx, run, t, last)
		}
		if time.Since(readAt) > 3*time.Second { // perhaps it has moved to another address
			readAt = time.Now()
			if found, err := c.backends(ctx, t); err == nil && len(found) > 0 && !slices.Contains(found, backend) {
				backend = found[0]
			}
		}
	}
}

// unhealthy is the error at the end of the wait: the caller's own end where that came first.
func (c *crew) unhealthy(ctx context.Context, run *jobs.Run, t fleet.Tenant, last error) error {
	if cause := context.Cause(ctx); cause != context.DeadlineExceeded { //nolint:errorlint // the deadline set here, not one passed in
		return cause
	}
	return fleet.Errorf(fleet.Unhealthy, "%s did not pass its health check within %s: %w", t.Name, t.Health.Timeout, last).
		WithHint("its journal is kept with the job: lxdfleet job show %s", run.JobID)
}

// backends asks LXD, with few such calls at once.
func (c *crew) backends(ctx context.Context, t fleet.Tenant) ([]fleet.Backend, error) {
	select {
	case c.looking <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.looking }()
	found, err := c.LXD.Backends(ctx, t.Name.String(), t.Health.Port)
	if err != nil {
		return nil, fmt.Errorf("find out where %s is reached: %w", t.Name, err)
	}
	return found, nil
}

// pace is a series of waits that grow by a sixteenth each, from a first to a longest: each is about
// a sixteenth of the time that has gone by, and so is the most that is lost by waiting.
type pace struct{ next, longest time.Duration }

func newPace(first, longest time.Duration) *pace { return &pace{next: first, longest: longest} }

// wait waits the next time; the error is that ctx ended.
func (p *pace) wait(ctx context.Context) error {
	timer := time.NewTimer(p.next)
	defer timer.Stop()
	p.next = min(p.next*17/16, p.longest)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
