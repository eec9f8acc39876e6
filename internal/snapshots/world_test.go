package snapshots

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
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
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func do(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

// world is a fleet in memory with the tenant acme, in a synctest bubble.
type world struct {
	t        *testing.T
	lxd      *lxdfake.LXD
	store    *store.Store
	registry *jobs.Registry
	engine   *jobs.Engine // nil without start
	observer *tenants.Observer
	service  *Service
	sweeper  *Retention
	acme     fleet.Tenant
	image    fleet.GoldenImage

	mu      sync.Mutex
	hook    lxdfake.ExecFunc // the pre-snapshot hook
	sick    func() bool      // whether the health check fails
	ran     []string         // hooks that were run
	changed int
	skew    time.Duration // what policies are followed by is so much ahead of the bubble's clock
}

// now is the clock that policies are followed by. Time that passes in the bubble costs a little for
// each second: whole days are skipped.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.skew)
}

func (w *world) skip(span time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skew += span
}

// told is how often somebody was told of a change.
func (w *world) told() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

func bubble(t *testing.T, opts lxdfake.Options, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, opts)
		w.start()
		test(t, w)
	})
}

// stillHook holds until its standard input ends.
func stillHook(_ context.Context, _ string, spec fleet.ExecSpec) (int, error) {
	time.Sleep(20 * time.Millisecond)
	_, _ = fmt.Fprintln(spec.Stdout, "held")
	_, _ = io.Copy(io.Discard, spec.Stdin)
	return 0, nil
}

func newWorld(t *testing.T, opts lxdfake.Options) *world {
	t.Helper()
	w := &world{t: t, hook: stillHook}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var err error
	w.store, err = store.Open(ctx, "sqlite::memory:")
	do(t, err)
	opts.Members, opts.Exec = []string{"n1", "n2", "n3"}, w.exec
	w.lxd = lxdfake.New(opts)
	for _, plan := range []string{"small", "large"} {
		_, err := w.lxd.EnsureProfile(ctx, fleet.ProfileSpec{Name: plan})
		do(t, err)
	}
	w.image = fleet.GoldenImage{
		Name: "wordpress", Version: "6.1-1", Health: fleet.HealthCheck{Port: 80, Path: "/", Timeout: time.Minute},
		Hooks: []string{"personalize", "pre-snapshot"}, CreatedAt: time.Now(),
	}
	w.image.Fingerprint = w.lxd.AddImage(fleet.Image{Aliases: []string{"wordpress"}, Size: fleet.GiB})
	do(t, w.store.InsertImage(ctx, w.image))
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	w.observer = tenants.NewObserver(w.lxd, w.store, w.store, w, tenants.ObserverOptions{Logger: log})
	hands := tenants.KindDeps{LXD: w.lxd, Store: w.store, Observer: w.observer, Prober: w}
	lent := tenants.NewHands(hands)
	changed := func(fleet.Name) { w.mu.Lock(); w.changed++; w.mu.Unlock() }
	w.registry = jobs.NewRegistry()
	do(t, tenants.Register(w.registry, hands))
	do(t, Register(w.registry, KindDeps{LXD: w.lxd, Store: w.store, Images: w.store, Tenants: lent, Changed: changed, Now: w.now}))
	w.service = NewService(Deps{
		LXD: w.lxd, Store: w.store, Jobs: w.store, Submit: w, Tenants: lent, Changed: changed,
		Readers: &Readers{LXD: w.lxd}, Lister: w.listFiles, Now: w.now,
	})
	w.sweeper = NewRetention(w.service)
	w.acme = w.placed("acme", true)
	var watching sync.WaitGroup
	watching.Go(func() { w.observer.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		watching.Wait()
		do(t, w.store.Close())
	})
	time.Sleep(time.Second)
	return w
}

// placed puts a tenant into the world without a job.
func (w *world) placed(name string, up bool) fleet.Tenant {
	w.t.Helper()
	ctx := context.Background()
	tenant := fleet.Tenant{
		ID: fleet.NewID(time.Now()), Name: fleet.Name(name), Image: w.image.Ref(), Plan: "small",
		Domains: []fleet.Domain{fleet.Domain(name + ".example.test")}, Health: w.image.Health,
		Desired: fleet.DesiredRunning, Ready: true, Member: "n1", CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
	keys := tenants.Keys(tenant)
	maps.Copy(keys, map[string]string{fleet.KeyReady: "true", fleet.KeyJob: "job-of-" + name, "volatile.eth0.hwaddr": "00:16:3e:00:00:01"})
	do(w.t, w.store.InsertTenant(ctx, tenant))
	do(w.t, w.lxd.LxcCreate(fleet.CloneSpec{
		Name: name, Fingerprint: w.image.Fingerprint, Member: "n1", Profiles: []string{"default", "small"}, Config: keys,
	}))
	if up {
		do(w.t, w.lxd.LxcStart(name))
	}
	tenant, err := w.store.Tenant(ctx, tenant.Name)
	do(w.t, err)
	return tenant
}

func (w *world) onEvent(job fleet.Job, event fleet.JobEvent) {
	w.observer.JobEvent(job, event)
	w.sweeper.JobEvent(job, event)
}

func (w *world) start() {
	w.engine = jobs.NewEngine(w.store, w.registry, jobs.Options{PollInterval: time.Minute, OnEvent: w.onEvent})
	do(w.t, w.engine.Start(context.WithoutCancel(w.t.Context())))
	w.t.Cleanup(func() { do(w.t, w.engine.Stop(context.Background())) })
	synctest.Wait()
}

// Submit implements Submitter.
func (w *world) Submit(ctx context.Context, req jobs.Request) (fleet.Job, error) {
	return w.engine.Submit(ctx, req)
}

// Probe implements tenants.Prober.
func (w *world) Probe(context.Context, string, string, fleet.HealthCheck) error {
	w.mu.Lock()
	sick := w.sick
	w.mu.Unlock()
	if sick != nil && sick() {
		return fmt.Errorf("status 500")
	}
	return nil
}

func (w *world) exec(ctx context.Context, name string, spec fleet.ExecSpec) (int, error) {
	last := spec.Command[len(spec.Command)-1]
	if !strings.HasPrefix(last, fleet.HookDir) {
		return 0, nil
	}
	w.mu.Lock()
	w.ran = append(w.ran, strings.TrimPrefix(last, fleet.HookDir+"/"))
	hook := w.hook
	w.mu.Unlock()
	if strings.HasSuffix(last, preHook) {
		return hook(ctx, name, spec)
	}
	return 0, nil
}

func (w *world) setHook(hook lxdfake.ExecFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook = hook
}

func (w *world) setSick(sick func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sick = sick
}

// listFiles implements Lister with what the fake has in one folder.
func (w *world) listFiles(ctx context.Context, instance, snapshot, name string) ([]fleet.FileInfo, error) {
	err := w.lxd.EnsureCopy(ctx, fleet.CopySpec{
		Source: instance, Snapshot: snapshot, Name: name, Config: map[string]string{fleet.KeyJob: name},
	}, nil)
	if err != nil {
		return nil, err
	}
	files, err := w.lxd.Files(ctx, name, "/srv")
	if err != nil {
		return nil, err
	}
	return files, w.lxd.EnsureDeleted(ctx, name)
}

// done waits for the job's end and gives it.
func (w *world) done(job fleet.Job, err error) fleet.Job {
	w.t.Helper()
	do(w.t, err)
	for range 10_000 {
		job, err = w.store.Job(w.t.Context(), job.ID)
		do(w.t, err)
		if job.State.Finished() {
			return job
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.t.Fatalf("job %s does not end: %+v", job.ID, job)
	return job
}

func (w *world) want(state fleet.JobState, job fleet.Job, err error) fleet.Job {
	w.t.Helper()
	job = w.done(job, err)
	if job.State != state {
		w.t.Fatalf("job %s is %s: %s (%s)", job.Kind, job.State, job.Error, job.ErrorCode)
	}
	return job
}

func (w *world) take(name string) fleet.Snapshot {
	w.t.Helper()
	job, err := w.service.Create(w.t.Context(), "acme", CreateRequest{Name: name}, Once{})
	w.want(fleet.JobDone, job, err)
	n, err := w.service.Snapshot(w.t.Context(), "acme", name)
	do(w.t, err)
	return n
}

// names lists acme's snapshots.
func (w *world) names() string {
	w.t.Helper()
	all, err := w.service.List(w.t.Context(), "acme")
	do(w.t, err)
	var names []string
	for _, n := range all {
		names = append(names, n.Name)
	}
	return strings.Join(names, " ")
}

func (w *world) write(content string) { w.lxd.SetFile("acme", "/srv/page", []byte(content)) }

func (w *world) page() string {
	w.t.Helper()
	r, err := w.lxd.ReadFile(w.t.Context(), "acme", "/srv/page")
	do(w.t, err)
	defer r.Close()
	content, err := io.ReadAll(r)
	do(w.t, err)
	return string(content)
}

func fails(t testing.TB, err error, code fleet.Code, words ...string) {
	t.Helper()
	if fleet.CodeOf(err) != code {
		t.Fatalf("error %v: want code %s", err, code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}
