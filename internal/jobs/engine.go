package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Engine runs the jobs of a store. Several engines, in one process or many, may share a
// store: each job is run by one of them at a time. Its methods are safe for concurrent use.
type Engine struct {
	store Store
	kinds *Registry
	opt   Options

	bell     bell
	wake     chan struct{} // there may be a job to claim
	claiming chan struct{} // held between a claim and its entry in runs
	wg       sync.WaitGroup

	mu      sync.Mutex
	started bool
	soft    context.Context // ends when the engine should stop
	stop    context.CancelFunc
	hard    context.Context // ends when stopping has taken too long
	kill    context.CancelFunc
	runs    map[string]*run      // by job id
	unknown map[string]time.Time // jobs whose kind is not here, and since when we know
}

// NewEngine makes an engine that can submit and watch at once, and runs jobs from Start on.
func NewEngine(store Store, kinds *Registry, options Options) *Engine {
	return &Engine{
		store: store, kinds: kinds, opt: options.withDefaults(),
		wake:     make(chan struct{}, 1),
		claiming: make(chan struct{}, 1),
		runs:     map[string]*run{},
		unknown:  map[string]time.Time{},
	}
}

// Start begins to run jobs, in the background, until ctx ends or Stop is called; the end of
// ctx has the same effect on jobs as Stop. An engine starts once; again is fleet.Conflict.
func (e *Engine) Start(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.started {
		return fleet.Errorf(fleet.Conflict, "the job engine has been started already")
	}
	e.started = true
	e.soft, e.stop = context.WithCancel(ctx)
	e.hard, e.kill = context.WithCancel(context.WithoutCancel(ctx))
	if !e.opt.DisableClaim {
		e.wg.Go(e.dispatch)
		e.wg.Go(e.pruneHourly)
	}
	return nil
}

// Stop cancels the contexts of running steps, waits for them to return and gives their leases
// back, so that another engine, or this one's successor, goes on with the jobs at once: to a
// job a stop is neither a failure nor a cancel. When ctx ends first the remaining leases are
// left to lapse, and the error names the jobs whose steps did not return.
func (e *Engine) Stop(ctx context.Context) error {
	e.mu.Lock()
	started := e.started
	e.mu.Unlock()
	if !started {
		return nil
	}
	e.stop()
	defer e.kill()
	idle := make(chan struct{})
	go func() {
		e.wg.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the steps of jobs %s to stop: %w", strings.Join(e.running(), ", "), ctx.Err())
	}
}

func (e *Engine) running() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	ids := make([]string, 0, len(e.runs))
	for id := range e.runs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Kinds describes the kinds this engine runs.
func (e *Engine) Kinds() []KindInfo { return e.kinds.Kinds() }

// dispatch claims jobs while there are free workers and starts a runner for each. With
// nothing to do it asks the store once a PollInterval.
func (e *Engine) dispatch() {
	if !e.releaseOwn() {
		return
	}
	slots := make(chan struct{}, e.opt.Workers)
	var outage backoff
	for {
		select {
		case slots <- struct{}{}:
		case <-e.soft.Done():
			return
		}
		if e.soft.Err() != nil {
			return
		}
		r, err := e.claim()
		if r != nil {
			outage = backoff{}
			e.wg.Go(func() {
				defer func() { <-slots }()
				r.main()
			})
			continue
		}
		<-slots
		wait := e.opt.PollInterval
		if err != nil {
			if outage.last == 0 {
				e.opt.Logger.Warn("cannot look for jobs, will keep trying", "error", err)
			}
			wait = max(wait, outage.next())
		} else {
			outage = backoff{}
		}
		if !e.idle(wait) {
			return
		}
	}
}

// releaseOwn ends the leases an earlier process left under this engine's name; while the store
// does not answer it tries again. false: the engine stops.
func (e *Engine) releaseOwn() bool {
	var outage backoff
	for e.opt.Exclusive {
		n, err := e.store.ReleaseOwner(e.soft, e.opt.Owner)
		if err == nil {
			if n > 0 {
				e.opt.Logger.Info("took back the jobs of the daemon's last run", "jobs", n)
			}
			return true
		}
		if outage.last == 0 && e.soft.Err() == nil {
			e.opt.Logger.Warn("cannot take back the jobs of the daemon's last run, will keep trying", "error", err)
		}
		if !e.idle(max(e.opt.PollInterval, outage.next())) {
			return false
		}
	}
	return true
}

// idle waits for a reason to look for jobs; false: the engine stops.
func (e *Engine) idle(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-e.wake:
		return true
	case <-e.soft.Done():
		return false
	}
}

// claim takes one job and enters its runner; nil where there is none. The claim itself is not
// cut short by a stop: a job claimed without our knowledge would be held until its lease ends.
func (e *Engine) claim() (*run, error) {
	e.claiming <- struct{}{}
	defer func() { <-e.claiming }()
	ctx, cancel := context.WithTimeout(e.hard, e.opt.LeaseTTL)
	defer cancel()
	now := e.opt.Clock()
	until := now.Add(e.opt.LeaseTTL)
	job, ok, err := e.store.ClaimJob(ctx, e.opt.Owner, now, until)
	if err != nil || !ok {
		return nil, err
	}
	return e.enter(job, until), nil
}

func (e *Engine) enter(job fleet.Job, until time.Time) *run {
	r := newRun(e, job, until)
	e.mu.Lock()
	defer e.mu.Unlock()
	// A step of an earlier runner here may ignore its context and still be at work.
	r.before = e.runs[job.ID]
	e.runs[job.ID] = r
	return r
}

func (e *Engine) leave(r *run) {
	e.mu.Lock()
	if e.runs[r.id] == r {
		delete(e.runs, r.id)
	}
	e.mu.Unlock()
	e.bell.ring(r.id)
}

// local gives the runner of a job in this engine, if there is one.
func (e *Engine) local(ctx context.Context, id string) (*run, error) {
	select {
	case e.claiming <- struct{}{}: // no claim is between the store and runs now
		<-e.claiming
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runs[id], nil
}

func (e *Engine) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// told passes on an event that was stored.
func (e *Engine) told(job fleet.Job, ev fleet.JobEvent) {
	if ev.Type != fleet.EventProgress && ev.Type != fleet.EventOutput && e.opt.Faults.AfterEvent != nil {
		e.opt.Faults.AfterEvent(job, ev)
	}
	e.opt.OnEvent(job, ev)
}

var errStopping = errors.New("the daemon is stopping")
