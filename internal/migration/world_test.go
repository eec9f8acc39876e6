package migration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
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
	"github.com/lxdfleet/lxdfleet/internal/placement"
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

const mac = "00:16:3e:00:00:01"

// world is a fleet in memory with the tenant acme on n1, in a synctest bubble.
type world struct {
	t        *testing.T
	lxd      *single
	store    *store.Store
	registry *jobs.Registry
	engine   *jobs.Engine // nil without start
	observer *tenants.Observer
	tenants  *tenants.Service
	service  *Service
	book     book
	acme     fleet.Tenant
	image    fleet.GoldenImage

	mu   sync.Mutex
	sick func(address string) bool // whether the health check fails
}

// single is LXD, where two started instances with one hardware address fail the test.
type single struct {
	*lxdfake.LXD
	t *testing.T
}

// DriverOn is the driver of the one pool.
func (l *single) DriverOn(ctx context.Context, _ string) (string, error) { return l.PoolDriver(ctx) }

func (l *single) EnsureStarted(ctx context.Context, name string) error {
	all, err := l.Instances(ctx, false)
	if err != nil {
		return err
	}
	address := ""
	for _, inst := range all {
		if inst.Name == name {
			address = inst.Config["volatile.eth0.hwaddr"]
		}
	}
	for _, inst := range all {
		if inst.Name != name && inst.Status == fleet.InstanceRunning && address != "" && inst.Config["volatile.eth0.hwaddr"] == address {
			l.t.Errorf("%s is started while %s runs with its address", name, inst.Name)
		}
	}
	return l.LXD.EnsureStarted(ctx, name)
}

func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "zfs")
		w.start()
		test(t, w)
	})
}

func newWorld(t *testing.T, driver string) *world {
	t.Helper()
	w := &world{t: t}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var err error
	w.store, err = store.Open(ctx, "sqlite::memory:")
	do(t, err)
	w.lxd = &single{lxdfake.New(lxdfake.Options{Members: []string{"n1", "n2", "n3"}, Driver: driver}), t}
	_, err = w.lxd.EnsureProfile(ctx, fleet.ProfileSpec{Name: "small"})
	do(t, err)
	w.image = fleet.GoldenImage{
		Name: "wordpress", Version: "6.1-1", Health: fleet.HealthCheck{Port: 80, Path: "/", Timeout: time.Minute}, CreatedAt: time.Now(),
	}
	w.image.Fingerprint = w.lxd.AddImage(fleet.Image{Aliases: []string{"wordpress"}, Size: fleet.GiB})
	do(t, w.store.InsertImage(ctx, w.image))
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	w.observer = tenants.NewObserver(w.lxd, w.store, w.store, w, tenants.ObserverOptions{Logger: log, DialEvery: 5 * time.Second})
	hands := tenants.KindDeps{LXD: w.lxd, Store: w.store, Observer: w.observer, Prober: w}
	w.tenants = tenants.NewService(tenants.ServiceDeps{
		LXD: w.lxd, Store: w.store, Images: w.store, Jobs: w.store, Submit: w, Observer: w.observer,
	}, tenants.ServiceOptions{})
	w.book.world = w
	w.registry = jobs.NewRegistry()
	do(t, tenants.Register(w.registry, hands))
	do(t, Register(w.registry, Deps{
		LXD: w.lxd, Store: w.store, Tenants: tenants.NewHands(hands), Jobs: &w.book, Mover: &w.book, Planner: w,
	}))
	w.service = NewService(ServiceDeps{
		LXD: w.lxd, Store: w.store, Tenants: tenants.NewHands(hands), Jobs: w.store, Planner: w, Submit: w,
		Place: func(ctx context.Context, t fleet.Tenant, to string) (string, string, error) {
			choice, err := w.tenants.Destination(ctx, t, to)
			return choice.Member, "best", err
		},
	})
	w.acme = w.placed("acme", mac, true)
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

// placed puts a tenant on n1 without a job.
func (w *world) placed(name, address string, up bool) fleet.Tenant {
	w.t.Helper()
	ctx := context.Background()
	tenant := fleet.Tenant{
		ID: fleet.NewID(time.Now()), Name: fleet.Name(name), Image: w.image.Ref(), Plan: "small",
		Domains: []fleet.Domain{fleet.Domain(name + ".example.test")}, Health: w.image.Health,
		Desired: fleet.DesiredRunning, Ready: true, Member: "n1", CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
	if !up {
		tenant.Desired = fleet.DesiredStopped
	}
	keys := tenants.Keys(tenant)
	maps.Copy(keys, map[string]string{
		fleet.KeyReady: "true", fleet.KeyJob: "job-of-" + name, "volatile.eth0.hwaddr": address, "boot.autostart": "true",
	})
	do(w.t, w.store.InsertTenant(ctx, tenant))
	do(w.t, w.lxd.LxcCreate(fleet.CloneSpec{
		Name: name, Fingerprint: w.image.Fingerprint, Member: "n1", Profiles: []string{"default", "small"}, Config: keys,
	}))
	if up {
		do(w.t, w.lxd.LxcStart(name))
	}
	w.write(name, "first")
	do(w.t, w.lxd.LxcSnapshot(name, "snap0"))
	tenant, err := w.store.Tenant(ctx, tenant.Name)
	do(w.t, err)
	return tenant
}

const pageFile = "/srv/page"

func (w *world) write(name, text string) {
	w.t.Helper()
	do(w.t, w.lxd.PushFile(context.Background(), name, fleet.File{Path: pageFile, Content: strings.NewReader(text), Mode: 0o644}))
}

func (w *world) start() {
	w.engine = jobs.NewEngine(w.store, w.registry, jobs.Options{PollInterval: time.Minute, OnEvent: w.observer.JobEvent})
	do(w.t, w.engine.Start(context.WithoutCancel(w.t.Context())))
	w.t.Cleanup(func() { do(w.t, w.engine.Stop(context.Background())) })
	synctest.Wait()
}

// Submit implements Submitter.
func (w *world) Submit(ctx context.Context, req jobs.Request) (fleet.Job, error) {
	return w.engine.Submit(ctx, req)
}

// Probe implements tenants.Prober.
func (w *world) Probe(_ context.Context, address, _ string, _ fleet.HealthCheck) error {
	w.mu.Lock()
	sick := w.sick
	w.mu.Unlock()
	if sick != nil && sick(address) {
		return fmt.Errorf("status 500")
	}
	return nil
}

func (w *world) setSick(sick func(string) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sick = sick
}

// DrainPlan and the others implement Planner, as the tenants' service plans.
func (w *world) DrainPlan(ctx context.Context, member string) (placement.Plan, error) {
	return w.tenants.DrainPlan(ctx, member)
}

func (w *world) RebalancePlan(context.Context, bool) (placement.Plan, error) {
	var p placement.Plan
	if now, err := w.store.Tenant(context.Background(), "acme"); err == nil && now.Member == "n1" {
		p.Moves = []placement.Move{{Tenant: "acme", From: "n1", To: "n3", Why: "is in the way"}}
	}
	return p, nil
}

func (w *world) Cordon(ctx context.Context, member, reason string) error {
	_, err := w.tenants.EditMember(ctx, member, tenants.MemberEdit{Cordoned: new(true), Reason: &reason})
	return err
}

func (w *world) Uncordon(ctx context.Context, member string) error {
	_, err := w.tenants.EditMember(ctx, member, tenants.MemberEdit{Cordoned: new(false)})
	return err
}

// book takes in moves, does them at once by hand, and remembers them as jobs.
type book struct {
	*world
	mu   sync.Mutex
	jobs []fleet.Job // newest first
	fail string      // a tenant whose moves fail
}

func (b *book) Move(ctx context.Context, name fleet.Name, req Request, once Once) (fleet.Job, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.jobs {
		if j.Key == once.Key {
			return j, nil
		}
	}
	t, err := b.store.Tenant(ctx, name)
	if err != nil {
		return fleet.Job{}, err
	}
	state := moveState{ID: t.ID, Name: name, From: t.Member, To: req.To, For: req.For}
	job := fleet.Job{
		ID: fleet.NewID(time.Now()), Kind: KindMove, State: fleet.JobDone, Key: once.Key, CreatedAt: time.Now(), Args: jsonOf(state),
	}
	if b.fail == name.String() {
		job.State, job.Error = fleet.JobUndone, "the link is cut"
	} else {
		do(b.t, b.lxd.LxcStop(name.String()))
		do(b.t, b.lxd.LxcMove(name.String(), req.To))
		do(b.t, b.lxd.LxcStart(name.String()))
		t.Member = req.To
		if _, err = b.store.UpdateTenant(ctx, t); fleet.CodeOf(err) != fleet.Conflict { // the observer was first
			do(b.t, err)
		}
	}
	b.jobs = slices.Insert(b.jobs, 0, job)
	return job, nil
}

// Job implements JobBook.
func (b *book) Job(_ context.Context, id string) (fleet.Job, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.jobs {
		if j.ID == id {
			return j, nil
		}
	}
	return fleet.Job{}, fleet.Errorf(fleet.NotFound, "no job %s", id)
}

// Jobs implements JobBook.
func (b *book) Jobs(_ context.Context, f jobs.JobFilter) ([]fleet.Job, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []fleet.Job
	for _, j := range b.jobs {
		if (f.Kind == "" || j.Kind == f.Kind) && (f.Subject == "" || j.Subject == f.Subject) && (f.Before == "" || j.ID < f.Before) {
			found = append(found, j)
		}
	}
	return found, nil
}

func jsonOf(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // a struct of plain fields
	}
	return raw
}

// page is what acme has last written.
func (w *world) page() string {
	w.t.Helper()
	r, err := w.lxd.ReadFile(context.Background(), "acme", pageFile)
	do(w.t, err)
	defer r.Close()
	raw, err := io.ReadAll(r)
	do(w.t, err)
	return string(raw)
}

// ended waits for a job's end.
func (w *world) ended(job fleet.Job, err error) fleet.Job {
	w.t.Helper()
	do(w.t, err)
	job, err = w.engine.Wait(w.t.Context(), job.ID)
	do(w.t, err)
	return job
}

// facts are what lists tell of a job.
func (w *world) facts(job fleet.Job) map[string]string {
	w.t.Helper()
	facts, err := w.engine.Facts(w.t.Context(), job)
	do(w.t, err)
	return facts[0]
}

// wantServed fails the test unless acme, with all it had, runs on the member and is served, and
// nothing else is left.
func (w *world) wantServed(member string) {
	w.t.Helper()
	time.Sleep(2 * time.Second)
	synctest.Wait()
	list, err := w.lxd.Instances(context.Background(), false)
	do(w.t, err)
	list = slices.DeleteFunc(list, func(inst fleet.Instance) bool { return inst.Config[fleet.KeyRole] == fleet.RoleHistory })
	if len(list) != 1 || list[0].Name != "acme" {
		w.t.Fatalf("instances %+v", list)
	}
	inst := list[0]
	if inst.Status != fleet.InstanceRunning || inst.Location != member || inst.Config["boot.autostart"] != "true" ||
		inst.Config[fleet.KeyTenant] != w.acme.ID || inst.Config[fleet.KeyReady] != "true" || inst.Config[fleet.KeyRole] != fleet.RoleTenant ||
		inst.Config["volatile.eth0.hwaddr"] != mac || inst.Config[fleet.KeyMoveOf] != "" || inst.Config[fleet.KeyMovedBy] != "" {
		w.t.Errorf("instance %+v", inst)
	}
	snapshots, err := w.lxd.Snapshots(context.Background(), "acme")
	do(w.t, err)
	if len(snapshots) != 1 || snapshots[0].Name != "snap0" {
		w.t.Errorf("snapshots %+v", snapshots)
	}
	now, err := w.store.Tenant(context.Background(), "acme")
	do(w.t, err)
	if now.Member != member || len(now.Holds) != 0 {
		w.t.Errorf("tenant %+v", now)
	}
	routes, err := w.observer.Routes(context.Background())
	do(w.t, err)
	addresses, err := w.lxd.Addresses(context.Background(), "acme")
	do(w.t, err)
	if len(routes) != 1 || routes[0].State != fleet.RouteServe || !strings.HasPrefix(routes[0].Backend, addresses[0]+":") {
		w.t.Errorf("routes %+v, addresses %v", routes, addresses)
	}
}

func fault(method string, delay time.Duration) lxdfake.Fault {
	return lxdfake.Fault{Method: method, Delay: delay, Times: 1}
}

func faultErr(method string, err error) lxdfake.Fault { return lxdfake.Fault{Method: method, Err: err} }

func (w *world) sweep() *tenants.Sweep {
	return &tenants.Sweep{LXD: w.lxd, Store: w.store, Jobs: w.store}
}
