package bulk

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/jobstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func do(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

// world is a fleet whose tenants are worked on by jobs that take ten seconds and do nothing.
type world struct {
	store    *jobstest.Memory
	registry *jobs.Registry
	engine   *jobs.Engine // nil without start
	service  *Service

	mu      sync.Mutex
	tenants []fleet.Tenant
	refuse  map[string]error // what Act says of a tenant
	broken  string           // a tenant whose job fails
	most    int              // how many were under way at a time
	now     int
	windows time.Duration      // how long each tenant's job waits for its window
	wanted  map[string]Request // what was asked for last, by tenant
}

type part struct{}

func newWorld(t *testing.T, tenants ...fleet.Tenant) *world {
	t.Helper()
	w := &world{store: jobstest.NewMemory(), registry: jobs.NewRegistry(), tenants: tenants, refuse: map[string]error{}, wanted: map[string]Request{}}
	do(t, jobs.Register(w.registry, jobs.Kind[part]{
		Name: "tenant.part", Version: 1, Steps: []jobs.Step[part]{{Name: "work", Do: w.work}},
	}))
	do(t, Register(w.registry, Deps{Jobs: w.store, Actor: w}))
	w.service = &Service{Store: w, Jobs: w.store, Engine: w}
	return w
}

func tenant(name string) fleet.Tenant {
	return fleet.Tenant{ID: "id-" + name, Name: fleet.Name(name), Desired: fleet.DesiredRunning, Ready: true, Member: "n1"}
}

// bubble runs a test with a running engine.
func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, tenant("acme"), tenant("globex"), tenant("hooli"), tenant("initech"), tenant("umbrella"))
		w.engine = jobs.NewEngine(w.store, w.registry, jobs.Options{
			PollInterval: 100 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		do(t, w.engine.Start(context.WithoutCancel(t.Context())))
		t.Cleanup(func() { do(t, w.engine.Stop(context.Background())) })
		test(t, w)
	})
}

func (w *world) work(ctx context.Context, run *jobs.Run, _ *part) error {
	w.mu.Lock()
	w.now++
	w.most = max(w.most, w.now)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.now--
	}()
	if run.Subject == "tenant/"+w.broken {
		return fleet.Errorf(fleet.Failed, "it does not come up")
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Second):
		return nil
	}
}

// Act implements Actor.
func (w *world) Act(ctx context.Context, name fleet.Name, r Request, once Once) (fleet.Job, error) {
	w.mu.Lock()
	w.wanted[name.String()] = r
	err := w.refuse[name.String()]
	w.mu.Unlock()
	if err != nil {
		return fleet.Job{}, err
	}
	var notBefore time.Time
	if r.InWindow {
		notBefore = time.Now().Add(w.windows)
	}
	job, _, err := w.store.InsertJob(ctx, fleet.Job{
		ID: fleet.NewID(time.Now()), Kind: "tenant.part", KindVersion: 1, Subject: "tenant/" + name.String(), Args: []byte("{}"),
		Key: once.Key, KeyHash: once.Hash, CreatedAt: time.Now(), UpdatedAt: time.Now(), NotBefore: notBefore, State: fleet.JobQueued,
	})
	return job, err
}

func (w *world) asked(name string) Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wanted[name]
}

func (w *world) refuses(name string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse[name] = err
}

// Tenants implements Store.
func (w *world) Tenants(_ context.Context, f fleet.TenantFilter) (found []fleet.Tenant, err error) {
	for _, t := range w.tenants {
		if (f.Names == nil || slices.Contains(f.Names, t.Name)) && (f.Member == "" || f.Member == t.Member) {
			found = append(found, t)
		}
	}
	return found, nil
}

// Submit and ByKey implement Engine.
func (w *world) Submit(ctx context.Context, r jobs.Request) (fleet.Job, error) {
	return w.engine.Submit(ctx, r)
}

func (w *world) ByKey(ctx context.Context, key, hash string) (fleet.Job, error) {
	return w.engine.ByKey(ctx, key, hash)
}

// ended waits for a job's end.
func (w *world) ended(t *testing.T, job fleet.Job, err error) fleet.Job {
	t.Helper()
	do(t, err)
	job, err = w.engine.Wait(t.Context(), job.ID)
	do(t, err)
	return job
}

// parts gives the states of the tenants' jobs that a job has made, by tenant.
func (w *world) parts(t *testing.T, parent string) map[string]fleet.JobState {
	t.Helper()
	list, err := w.store.Jobs(context.Background(), jobs.JobFilter{Kind: "tenant.part", Parent: parent, Limit: 1000})
	do(t, err)
	found := map[string]fleet.JobState{}
	for _, j := range list {
		name := strings.TrimPrefix(j.Subject, "tenant/")
		if _, twice := found[name]; twice {
			t.Errorf("%s has two jobs", name)
		}
		found[name] = j.State
	}
	return found
}
