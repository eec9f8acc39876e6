package tenants

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a fleet in memory: a fake LXD of three members, a database, the job engine, an
// Observer that runs, and a Service. It lives in a synctest bubble, so waits take no time.
type world struct {
	t        *testing.T
	lxd      *lxdfake.LXD
	store    *store.Store
	registry *jobs.Registry
	engine   *jobs.Engine // nil without engine()
	observer *Observer
	service  *Service
	dns      *zone
	certs    *certs
	image    fleet.GoldenImage

	mu      sync.Mutex
	probes  func(address, host string, check fleet.HealthCheck) error
	changed []string
	muted   string           // an address nothing listens on
	hooks   []fleet.ExecSpec // what the personalize hook was called with
}

// bubble runs the test on a world of its own, with a job engine.
func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		test(t, w)
	})
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dns: &zone{txt: map[string][]string{}, hosts: map[string][]string{}}, certs: &certs{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var err error
	if w.store, err = store.Open(ctx, "sqlite::memory:"); err != nil {
		t.Fatalf("open store: %v", err)
	}
	w.lxd = lxdfake.New(lxdfake.Options{
		Members: []string{"n1", "n2", "n3"}, AddressDelay: 300 * time.Millisecond, Exec: w.exec,
	})
	for _, plan := range []string{"small", "medium", "large"} {
		if _, err := w.lxd.EnsureProfile(ctx, fleet.ProfileSpec{Name: plan}); err != nil {
			t.Fatalf("make plan: %v", err)
		}
	}
	w.image = fleet.GoldenImage{
		Name: "wordpress", Version: "6.1-1", Health: fleet.HealthCheck{Port: 80, Path: "/", Timeout: time.Minute},
		Hooks: []string{"personalize"}, CreatedAt: time.Now(),
	}
	w.image.Fingerprint = w.lxd.AddImage(fleet.Image{Aliases: []string{"wordpress"}, Size: fleet.GiB})
	if err := w.store.InsertImage(ctx, w.image); err != nil {
		t.Fatalf("insert image: %v", err)
	}
	if err := w.store.SetCurrentImage(ctx, w.image.Ref()); err != nil {
		t.Fatalf("set current image: %v", err)
	}
	w.observer = NewObserver(w.lxd, w.store, w.store, w, ObserverOptions{
		Dial: w.dial, Changed: w.note,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
	})
	w.registry = jobs.NewRegistry()
	if err := Register(w.registry, KindDeps{LXD: w.lxd, Store: w.store, Observer: w.observer, Prober: w, HTTPSPort: 8443}); err != nil {
		t.Fatalf("register: %v", err)
	}
	w.service = NewService(ServiceDeps{
		LXD: w.lxd, Store: w.store, Images: w.store, Jobs: w.store, Submit: w, Observer: w.observer,
		DNS: w.dns, Certificates: w.certs,
	}, ServiceOptions{BaseDomain: "example.test"})
	var watching sync.WaitGroup
	watching.Go(func() { w.observer.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		watching.Wait()
		if err := w.store.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return w
}

// start gives the world a job engine.
func (w *world) start() {
	w.engine = jobs.NewEngine(w.store, w.registry, jobs.Options{PollInterval: time.Minute, OnEvent: w.observer.JobEvent})
	if err := w.engine.Start(context.WithoutCancel(w.t.Context())); err != nil {
		w.t.Fatalf("start engine: %v", err)
	}
	w.t.Cleanup(func() {
		if err := w.engine.Stop(context.Background()); err != nil {
			w.t.Errorf("stop engine: %v", err)
		}
	})
	synctest.Wait()
}

// Submit implements Submitter.
func (w *world) Submit(ctx context.Context, req jobs.Request) (fleet.Job, error) {
	return w.engine.Submit(ctx, req)
}

// Probe implements Prober: well, unless the test says otherwise, when a running instance has
// the address.
func (w *world) Probe(_ context.Context, backend, host string, check fleet.HealthCheck) error {
	address, _, err := net.SplitHostPort(backend)
	if err != nil {
		return err
	}
	w.mu.Lock()
	probes := w.probes
	w.mu.Unlock()
	if probes != nil {
		if err := probes(address, host, check); err != nil {
			return err
		}
	}
	if !w.alive(address) {
		return fmt.Errorf("dial %s: connection refused", address)
	}
	return nil
}

func (w *world) setProbes(f func(address, host string, check fleet.HealthCheck) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.probes = f
}

func (w *world) mute(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.muted = address
}

// alive reports whether a running instance listens on the address.
func (w *world) alive(address string) bool {
	w.mu.Lock()
	muted := w.muted
	w.mu.Unlock()
	if address == muted {
		return false
	}
	for _, name := range []string{"acme", "globex", "initech", "acme2", "acme-new", "handmade"} {
		if inst, ok := w.lxd.Seen(name); ok && slices.Contains(inst.Addresses, address) {
			return true
		}
	}
	return false
}

func (w *world) dial(_ context.Context, _, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if !w.alive(host) {
		return nil, errors.New("connection refused")
	}
	conn, other := net.Pipe()
	return conn, other.Close()
}

// exec is every command in every instance: the hook script tells the instance's address.
func (w *world) exec(_ context.Context, name string, spec fleet.ExecSpec) (int, error) {
	if slices.Contains(spec.Command, hookScript) {
		w.mu.Lock()
		w.hooks = append(w.hooks, spec)
		w.mu.Unlock()
		time.Sleep(400 * time.Millisecond)
		if inst, ok := w.lxd.Seen(name); ok && len(inst.Addresses) > 0 {
			_, _ = fmt.Fprintf(spec.Stdout, "hook says secret\n%s2: eth0    inet %s/24 scope global eth0\n", addressMark, inst.Addresses[0])
		}
		return 0, nil
	}
	if spec.Stdout != nil {
		_, _ = fmt.Fprintf(spec.Stdout, "ran %s in %s\n", strings.Join(spec.Command, " "), name)
	}
	return 0, nil
}

func (w *world) note(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed = append(w.changed, name)
}

func (w *world) noted(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.changed, name)
}

// done waits for a job that must end as done.
func (w *world) done(job fleet.Job, err error) fleet.Job {
	w.t.Helper()
	return w.ends(fleet.JobDone, job, err)
}

// ends waits for a job that must end in the state.
func (w *world) ends(state fleet.JobState, job fleet.Job, err error) fleet.Job {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("submit: %v", err)
	}
	job, err = w.engine.Wait(w.t.Context(), job.ID)
	if err != nil {
		w.t.Fatalf("wait: %v", err)
	}
	if job.State != state {
		w.t.Fatalf("job %s ended as %s (%s), want %s\n%s", job.Kind, job.State, job.Error, state, w.output(job))
	}
	return job
}

// output is what a job printed and said.
func (w *world) output(job fleet.Job) string {
	events, err := w.store.JobEvents(w.t.Context(), job.ID, 0, 0)
	if err != nil {
		w.t.Fatalf("job events: %v", err)
	}
	var all strings.Builder
	for _, e := range events {
		if e.Type == fleet.EventOutput || e.Type == fleet.EventProgress {
			all.WriteString(e.Message)
		}
	}
	return all.String()
}

// tenant creates a tenant that runs.
func (w *world) tenant(name string) fleet.Tenant {
	w.t.Helper()
	w.done(w.service.Create(w.t.Context(), CreateRequest{Name: name, Image: "wordpress"}, Once{}))
	time.Sleep(time.Second) // events are heard
	return w.get(name).Tenant
}

func (w *world) get(name string) View {
	w.t.Helper()
	v, err := w.service.Get(w.t.Context(), fleet.Name(name))
	if err != nil {
		w.t.Fatalf("get %s: %v", name, err)
	}
	return v
}

// wantStatus checks a tenant's status and the state of its route; "" is no route.
func (w *world) wantStatus(name string, status fleet.TenantStatus, route fleet.RouteState) {
	w.t.Helper()
	if v := w.get(name); v.Status != status {
		w.t.Errorf("%s is %s, want %s (%+v)", name, v.Status, status, v.Observation)
	}
	if got := w.route(name).State; got != route {
		w.t.Errorf("route of %s is %q, want %q", name, got, route)
	}
}

// route is the first route of a tenant; zero where it has none.
func (w *world) route(name string) fleet.Route {
	w.t.Helper()
	routes, err := w.observer.Routes(w.t.Context())
	if err != nil {
		w.t.Fatalf("routes: %v", err)
	}
	i := slices.IndexFunc(routes, func(r fleet.Route) bool { return r.Tenant.String() == name })
	if i < 0 {
		return fleet.Route{}
	}
	return routes[i]
}

// wantError checks an error's code and field, that it has a hint, and parts of what it says.
func wantError(t *testing.T, err error, code fleet.Code, field string, says ...string) {
	t.Helper()
	e, ok := errors.AsType[*fleet.Error](err)
	if !ok || e.Code != code || e.Field != field {
		t.Fatalf("error %v (code %q), want code %q, field %q", err, fleet.CodeOf(err), code, field)
	}
	if e.Hint == "" {
		t.Errorf("error %q does not say what to do", err)
	}
	for _, part := range says {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

// do is for calls of the fake that must work.
func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newRegistryOn registers the kinds on another LXD than the world's own.
func newRegistryOn(t *testing.T, w *world, lxd LXD) *jobs.Registry {
	t.Helper()
	reg := jobs.NewRegistry()
	do(t, Register(reg, KindDeps{LXD: lxd, Store: w.store, Observer: w.observer, Prober: w}))
	return reg
}
