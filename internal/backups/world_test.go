package backups

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/images"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
	"github.com/lxdfleet/lxdfleet/internal/snapshots"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a fleet with one tenant, acme, on a fake LXD of three members, with a database, a
// repository in memory and a job engine. It lives in a synctest bubble, so waits take no time.
type world struct {
	t        *testing.T
	lxd      *lxdfake.LXD
	store    *store.Store
	server   *server
	vault    *Vault
	deps     Deps
	registry *jobs.Registry
	engine   *jobs.Engine // nil without start
	service  *Service
	taker    *snapshots.Taker
	images   *images.Service
	dir      string

	mu       sync.Mutex
	policies []fleet.Policy
	events   []fleet.Event
	held     int // how often requests were held
	unwell   error
	crash    string              // why a snapshot is not application-consistent; empty: it is
	tarFails error               // the reader breaks off with it
	atRead   func()              // called when a reader is opened
	rebuilt  []string            // images
	noRoom   bool                // for a safety snapshot
	page     string              // what the application in a drill answers
	database string              // what the check of a drill's database prints
	mysql    int                 // exit code of that check
	commands map[string]struct{} // scripts that ran
}

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
	w := &world{
		t: t, server: newServer(), dir: t.TempDir(), page: "HTTP/1.1 200 OK\n\nhello", database: "lxdfleet-database: none", commands: map[string]struct{}{},
	}
	var err error
	w.store, err = store.Open(context.WithoutCancel(t.Context()), "sqlite::memory:")
	do(t, err)
	t.Cleanup(func() { do(t, w.store.Close()) })
	w.lxd = lxdfake.New(lxdfake.Options{Members: []string{"n1", "n2", "n3"}, Exec: w.exec, PoolSize: fleet.GiB, InstanceSize: fleet.KiB})
	for _, p := range []fleet.ProfileSpec{
		{Name: "default", Devices: map[string]map[string]string{"eth0": {"type": "nic"}, "root": {"type": "disk"}}}, {Name: "small"}, {Name: "large"},
	} {
		_, err := w.lxd.EnsureProfile(t.Context(), p)
		do(t, err)
	}
	w.vault = NewVault(VaultOptions{Location: "s3://bucket/fleet", KeyFile: filepath.Join(w.dir, "backups.key"), Opener: w.server})
	_, err = w.vault.Init(t.Context())
	do(t, err)
	w.taker = snapshots.NewTaker(snapshots.KindDeps{LXD: w.lxd, Store: w.store, Images: w.store, Changed: func(fleet.Name) {}, Now: time.Now})
	w.images = images.NewService(images.Deps{LXD: w.lxd, Store: w.store}, nil)
	w.deps = Deps{
		LXD: w.lxd, Store: w.store, Vault: w.vault, Snapshots: w, Readers: w, Tenants: (*tenancy)(w), Policies: w, Images: builder{w.images, w}, Event: w.note, KeepOld: 10 * time.Minute,
	}.withDefaults()
	w.registry = jobs.NewRegistry()
	do(t, Register(w.registry, w.deps))
	w.has("acme")
	return w
}

// has puts a tenant there that runs.
func (w *world) has(name string) fleet.Tenant {
	w.t.Helper()
	ctx := w.t.Context()
	t := fleet.Tenant{
		ID: "id-of-" + name, Name: fleet.Name(name), Image: fleet.ImageRef{Name: "shop", Version: "1"}, Plan: "small", Member: "n1",
		Domains: []fleet.Domain{fleet.Domain(name + ".test")}, Health: fleet.DefaultHealth(), Desired: fleet.DesiredRunning, Ready: true,
		CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
	do(w.t, w.store.InsertTenant(ctx, t))
	config := (*tenancy)(w).Keys(t)
	maps.Copy(config, map[string]string{
		fleet.KeyJob: "made-" + name, fleet.KeyReady: "true", "limits.cpu": "2", "volatile.eth0.hwaddr": "00:16:3e:00:00:0" + name[:1],
	})
	image := w.lxd.AddImage(fleet.Image{Aliases: []string{"shop/" + name}})
	do(w.t, w.lxd.EnsureClone(ctx, fleet.CloneSpec{
		Name: name, Fingerprint: image, Member: "n1", Profiles: []string{"default", "small"}, Config: config,
		Devices: map[string]map[string]string{"data": {"type": "disk", "path": "/data"}},
	}, nil))
	do(w.t, w.lxd.EnsureStarted(ctx, name))
	t, err := w.store.Tenant(ctx, t.Name)
	do(w.t, err)
	return t
}

// builder is the images' service; what it would build again is noted.
type builder struct {
	*images.Service
	w *world
}

func (b builder) Rebuild(_ context.Context, ref fleet.ImageRef, _ string) (fleet.Job, error) {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	b.w.rebuilt = append(b.w.rebuilt, ref.String())
	return fleet.Job{}, nil
}

// imports puts a golden image there that no recipe makes again.
func (w *world) imports(name, content string) fleet.GoldenImage {
	w.t.Helper()
	ctx := w.t.Context()
	g := fleet.GoldenImage{Name: name, Version: "1", Health: fleet.DefaultHealth(), Description: "from elsewhere", CreatedAt: time.Now(), Current: true, JobID: "imported"}
	var err error
	g.Fingerprint, err = w.lxd.EnsureImported(ctx, strings.NewReader(content), nil, nil)
	do(w.t, err)
	g.Size = fleet.Size(len(content))
	do(w.t, w.images.Admit(ctx, g, "imported"))
	return g
}

// pins puts a pinned snapshot of a tenant there.
func (w *world) pins(name, snapshot string) {
	w.t.Helper()
	do(w.t, w.lxd.EnsureSnapshot(w.t.Context(), name, snapshot))
	do(w.t, w.store.SaveSnapshot(w.t.Context(), "id-of-"+name, fleet.Snapshot{
		Tenant: fleet.Name(name), Name: snapshot, Origin: fleet.OriginManual, Pinned: true, Consistency: fleet.ConsistentApplication, CreatedAt: time.Now(),
	}))
}

// snapshotsOf lists what a tenant's list of snapshots has, with the instance that has each.
func (w *world) snapshotsOf(t *testing.T, id string) map[string]string {
	t.Helper()
	s, holders := w.scene(t), map[string]string{}
	for name, r := range s.Records[id] {
		from := cmp.Or(r.Instance, r.Tenant.String())
		if !slices.Contains(s.Snapshots[from], name) {
			t.Errorf("the snapshot %s is not in %s", name, from)
		}
		holders[name] = from
	}
	return holders
}

func (w *world) start() {
	// Nobody else makes jobs, and each look costs as much as a look of real time.
	w.engine = jobs.NewEngine(w.store, w.registry, jobs.Options{PollInterval: time.Minute})
	do(w.t, w.engine.Start(context.WithoutCancel(w.t.Context())))
	w.t.Cleanup(func() { do(w.t, w.engine.Stop(context.Background())) })
	w.service = NewService(w.deps, w.engine)
}

func (w *world) note(e fleet.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

func (w *world) noted(kind string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.events, func(e fleet.Event) bool { return e.Type == kind })
}

// Take implements Snapshots.
func (w *world) Take(ctx context.Context, _ *jobs.Run, t fleet.Tenant, snapshot string, crash bool) (fleet.Snapshot, error) {
	instance := t.Name.String()
	if err := w.lxd.EnsureSnapshotDeleted(ctx, instance, snapshot); err != nil {
		return fleet.Snapshot{}, err
	}
	if err := w.lxd.EnsureSnapshot(ctx, instance, snapshot); err != nil {
		return fleet.Snapshot{}, err
	}
	s := fleet.Snapshot{Tenant: t.Name, Name: snapshot, CreatedAt: time.Now(), Consistency: fleet.ConsistentApplication, Held: time.Second}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.crash != "" || crash {
		s.Consistency, s.Why, s.Held = fleet.ConsistentCrash, w.crash, 0
	}
	return s, nil
}

// Drop implements Snapshots.
func (w *world) Drop(ctx context.Context, run *jobs.Run, tenantID string, tenant fleet.Name, snapshot string) error {
	return w.taker.Drop(ctx, run, tenantID, tenant, snapshot)
}

// Safety implements Snapshots.
func (w *world) Safety(ctx context.Context, run *jobs.Run, t fleet.Tenant, snapshot, note, torn string) error {
	w.mu.Lock()
	full := w.noRoom
	w.mu.Unlock()
	if full {
		return fleet.Errorf(fleet.Exhausted, "the disk of the instance is full").WithHint("make room")
	}
	return w.taker.Safety(ctx, run, t, snapshot, note, torn)
}

// Retire implements Snapshots.
func (w *world) Retire(ctx context.Context, t fleet.Tenant, aside string) error {
	return w.taker.Retire(ctx, t, aside)
}

// Regain implements Snapshots.
func (w *world) Regain(ctx context.Context, t fleet.Tenant) error { return w.taker.Regain(ctx, t) }

// Open implements Readers.
func (w *world) Open(ctx context.Context, instance, snapshot, name, jobID string) (Reader, error) {
	w.mu.Lock()
	at := w.atRead
	w.mu.Unlock()
	if at != nil {
		at()
	}
	err := w.lxd.EnsureCopy(ctx, fleet.CopySpec{
		Source: instance, Snapshot: snapshot, Name: name, Config: map[string]string{fleet.KeyJob: jobID, fleet.KeyRole: fleet.RoleReader},
	}, nil)
	return &reading{w, instance, name}, err
}

type reading struct {
	w              *world
	instance, name string
}

func (r *reading) Tar(_ context.Context, out io.Writer) error {
	r.w.mu.Lock()
	fails := r.w.tarFails
	r.w.mu.Unlock()
	w := tar.NewWriter(out)
	for _, h := range []*tar.Header{
		{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./etc/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./etc/hostname", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(r.instance))},
		{Name: "./etc/name", Typeflag: tar.TypeLink, Linkname: "./etc/hostname"},
	} {
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, r.instance); err != nil {
				return err
			}
		}
	}
	if fails != nil {
		return fails
	}
	return w.Close()
}

func (r *reading) Lacks() string { return "" }

func (r *reading) Close(ctx context.Context) error { return r.w.lxd.EnsureDeleted(ctx, r.name) }

// exec is every command in every instance: those of a drill.
func (w *world) exec(_ context.Context, _ string, spec fleet.ExecSpec) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case slices.Contains(spec.Command, askScript):
		w.commands["ask"] = struct{}{}
		_, _ = io.WriteString(spec.Stdout, w.page+"\n")
	case slices.Contains(spec.Command, databaseScript):
		w.commands["database"] = struct{}{}
		_, _ = io.WriteString(spec.Stdout, w.database+"\n")
		return w.mysql, nil
	}
	return 0, nil
}

// Policies implements Policies.
func (w *world) Policies(context.Context) ([]fleet.Policy, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.policies), nil
}

// RestorePolicy implements Policies.
func (w *world) RestorePolicy(_ context.Context, p fleet.Policy) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.policies = append(w.policies, p)
	return nil
}

// tenancy is what the tenants' package does for backups.
type tenancy world

func (y *tenancy) Keys(t fleet.Tenant) map[string]string {
	return map[string]string{fleet.KeyRole: fleet.RoleTenant, fleet.KeyTenant: t.ID, fleet.KeyName: t.Name.String(), fleet.KeyPlan: t.Plan}
}

func (y *tenancy) Draft(ctx context.Context, want Draft) (fleet.Tenant, error) {
	if _, err := y.store.Tenant(ctx, want.Name); err == nil {
		return fleet.Tenant{}, fleet.Errorf(fleet.Taken, "there is a tenant %s already", want.Name).WithField("name")
	}
	t := want.From
	t.ID, t.Name, t.Plan, t.Member, t.Desired, t.Ready = fleet.NewID(time.Now()), want.Name, want.Plan, want.Member, fleet.DesiredRunning, false
	t.Domains = []fleet.Domain{fleet.Domain(want.Name + ".test")}
	return t, nil
}

func (y *tenancy) Place(context.Context, fleet.Tenant) (string, error) { return "n2", nil }

func (y *tenancy) edit(ctx context.Context, name fleet.Name, edit func(*fleet.Tenant)) error {
	t, err := y.store.Tenant(ctx, name)
	if err != nil {
		return err
	}
	edit(&t)
	_, err = y.store.UpdateTenant(ctx, t)
	return err
}

func (y *tenancy) Hold(ctx context.Context, _ *jobs.Run, name fleet.Name, reason string, _ time.Duration) error {
	y.mu.Lock()
	y.held++
	y.mu.Unlock()
	return y.edit(ctx, name, func(t *fleet.Tenant) { t.Holds = []fleet.Hold{{Reason: reason}} })
}

func (y *tenancy) Resume(ctx context.Context, name fleet.Name, _ string) error {
	return y.edit(ctx, name, func(t *fleet.Tenant) { t.Holds = nil })
}

func (y *tenancy) Estrange(context.Context, fleet.Tenant, bool) error { return nil }

func (y *tenancy) Personalise(context.Context, *jobs.Run, fleet.Tenant, bool) error { return nil }

func (y *tenancy) Await(_ context.Context, _ *jobs.Run, t fleet.Tenant) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	if inst, ok := y.lxd.Seen(t.Name.String()); y.unwell == nil && (!ok || inst.Status != fleet.InstanceRunning) {
		return errors.New("the instance that is waited for does not run")
	}
	return y.unwell
}

func (y *tenancy) Refresh(context.Context, string) error { return nil }

func (y *tenancy) Nudge(fleet.Name) {}

func (y *tenancy) Policy(_ context.Context, _ fleet.Tenant) (fleet.Policy, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if len(y.policies) == 0 {
		return fleet.Policy{}, nil
	}
	return y.policies[0], nil
}

// backup makes a backup of a tenant and gives its record.
func (w *world) backup(name string) fleet.Backup {
	w.t.Helper()
	w.done(w.service.Create(w.t.Context(), fleet.Name(name), CreateRequest{}, Once{}))
	list, err := w.service.List(w.t.Context(), fleet.BackupFilter{Tenant: fleet.Name(name), Limit: 1})
	do(w.t, err)
	return list[0]
}

// stored puts a backup of a tenant there without a job.
func (w *world) stored(name, policy string, at time.Time) fleet.Backup {
	w.t.Helper()
	var data strings.Builder
	do(w.t, (&reading{w, name, ""}).Tar(w.t.Context(), &data))
	return w.holding(name, policy, at, data.String())
}

// holding puts a backup of a tenant there that holds a tar stream.
func (w *world) holding(name, policy string, at time.Time, stream string) fleet.Backup {
	w.t.Helper()
	ctx := w.t.Context()
	t, err := w.store.Tenant(ctx, fleet.Name(name))
	do(w.t, err)
	inst, err := w.lxd.Instance(ctx, name)
	do(w.t, err)
	k := keepsakeOf(t, inst)
	k.Record = fleet.Backup{
		Tenant: t.Name, TenantID: t.ID, Policy: policy, TakenAt: at, Consistency: fleet.ConsistentApplication, Image: t.Image, JobID: "job",
	}
	label, err := k.label()
	do(w.t, err)
	repo, err := w.vault.Open(ctx)
	do(w.t, err)
	entry, err := repo.Write(ctx, Meta{
		Kind: KindTenant, Tenant: name, TakenAt: at, Labels: map[string]string{keepsakeLabel: label, jobLabel: "job"},
	}, strings.NewReader(stream), nil)
	do(w.t, err)
	b := recordOf(entry, k)
	do(w.t, w.store.SaveBackup(ctx, b))
	b, err = w.store.Backup(ctx, b.ID)
	do(w.t, err)
	return b
}

func (w *world) done(job fleet.Job, err error) string {
	w.t.Helper()
	_, output := w.ends(fleet.JobDone, job, err)
	return output
}

func (w *world) ends(state fleet.JobState, job fleet.Job, err error) (fleet.Job, string) {
	w.t.Helper()
	do(w.t, err)
	job, err = w.engine.Wait(w.t.Context(), job.ID)
	do(w.t, err)
	events, err := w.store.JobEvents(w.t.Context(), job.ID, 0, 0)
	do(w.t, err)
	var output strings.Builder
	for _, ev := range events {
		if ev.Type == fleet.EventOutput {
			output.WriteString(ev.Message)
		}
	}
	if job.State != state {
		w.t.Fatalf("job %s ended as %s (%s), want %s\n%s", job.Kind, job.State, job.Error, state, output.String())
	}
	return job, output.String()
}

// scene is all that a job on backups may leave behind. Saves of the control plane may stay.
type scene struct {
	Instances []fleet.Instance
	Snapshots map[string][]string
	Records   map[string]map[string]fleet.Snapshot
	Images    []fleet.Image
	Entries   []string
	Backups   []fleet.Backup
	Drills    []fleet.Drill
	Tenants   []fleet.Tenant
}

func (w *world) scene(t *testing.T) (s scene) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	var err error
	s.Instances, err = w.lxd.Instances(ctx, false)
	do(t, err)
	all, err := w.lxd.AllSnapshots(ctx)
	do(t, err)
	s.Snapshots = map[string][]string{}
	for name, list := range all {
		for _, is := range list {
			s.Snapshots[name] = append(s.Snapshots[name], is.Name)
		}
	}
	s.Records, err = w.store.AllSnapshots(ctx)
	do(t, err)
	s.Images, err = w.lxd.Images(ctx)
	do(t, err)
	s.Entries = w.server.ids(KindTenant)
	s.Backups, err = w.store.Backups(ctx, fleet.BackupFilter{})
	do(t, err)
	s.Drills, err = w.store.Drills(ctx, fleet.DrillFilter{})
	do(t, err)
	s.Tenants, err = w.store.Tenants(ctx, fleet.TenantFilter{})
	do(t, err)
	for i := range s.Tenants {
		s.Tenants[i].Revision, s.Tenants[i].UpdatedAt = 0, time.Time{}
	}
	return s
}

func (w *world) instance(name string) fleet.Instance {
	w.t.Helper()
	inst, err := w.lxd.Instance(w.t.Context(), name)
	do(w.t, err)
	return inst
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError checks code and words of an error, and that it says what to do.
func wantError(t *testing.T, err error, code fleet.Code, words ...string) {
	t.Helper()
	e, ok := errors.AsType[*fleet.Error](err)
	if !ok || e.Code != code || e.Hint == "" {
		t.Fatalf("error %#v; want code %s and a hint", err, code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q: no word of %q", err, word)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
