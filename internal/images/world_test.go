package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is images on a fake LXD of three members, with a database and a job engine. It lives
// in a synctest bubble, so waits take no time.
type world struct {
	t        *testing.T
	lxd      *lxdfake.LXD
	store    *store.Store
	deps     Deps
	registry *jobs.Registry
	engine   *jobs.Engine // nil without start
	service  *Service

	mu       sync.Mutex
	changed  []string
	commands []string                                        // what ran in instances: its last argument
	fails    map[string]func(context.Context, io.Writer) int // by a command's last argument
	page     string                                          // what instances answer; empty: 500
	based    int                                             // bases made
	noBase   error
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
	w := &world{t: t, page: "hello from the shop", fails: map[string]func(context.Context, io.Writer) int{}}
	var err error
	w.store, err = store.Open(context.WithoutCancel(t.Context()), "sqlite::memory:")
	do(t, err)
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	w.lxd = lxdfake.New(lxdfake.Options{
		Members: []string{"n1", "n2", "n3"}, AddressDelay: 300 * time.Millisecond, Exec: w.exec,
	})
	w.deps = Deps{
		LXD: w.lxd, Store: w.store, Bases: w, WorkDir: filepath.Join(t.TempDir(), "work"), Changed: w.note,
		HTTP:    &http.Client{Transport: roundTripper(w.answer)},
		Sources: Sources{Hosts: []string{"images.example"}, Folders: []string{os.TempDir()}},
	}
	w.registry = jobs.NewRegistry()
	do(t, Register(w.registry, w.deps))
	return w
}

func (w *world) start() {
	w.engine = jobs.NewEngine(w.store, w.registry, jobs.Options{PollInterval: time.Minute})
	do(w.t, w.engine.Start(context.WithoutCancel(w.t.Context())))
	w.t.Cleanup(func() {
		if err := w.engine.Stop(context.Background()); err != nil {
			w.t.Errorf("stop engine: %v", err)
		}
	})
	w.service = NewService(w.deps, w.engine)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }

// answer is the application in every instance.
func (w *world) answer(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rec := &http.Response{StatusCode: 200, Status: "200 OK", Request: req, Header: http.Header{}}
	if w.page == "" {
		rec.StatusCode, rec.Status = 500, "500 Internal Server Error"
	}
	rec.Body = io.NopCloser(strings.NewReader(w.page))
	return rec, nil
}

// exec runs a command in an instance: those in fails do what that says, the others end well.
func (w *world) exec(ctx context.Context, _ string, spec fleet.ExecSpec) (int, error) {
	last := spec.Command[len(spec.Command)-1]
	w.mu.Lock()
	w.commands = append(w.commands, last)
	fail := w.fails[last]
	w.mu.Unlock()
	fmt.Fprintf(spec.Stdout, "ran %.60s\n", last)
	if fail != nil {
		return fail(ctx, spec.Stderr), nil
	}
	return 0, nil
}

// failing makes a command fail, by its last argument.
func (w *world) failing(command string, exit int, says string) {
	w.fails[command] = func(_ context.Context, stderr io.Writer) int {
		fmt.Fprintln(stderr, says)
		return exit
	}
}

// Make implements BaseMaker.
func (w *world) Make(_ context.Context, spec Debootstrap, dir string, output io.Writer) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.noBase != nil {
		return "", w.noBase
	}
	w.based++
	fmt.Fprintln(output, "retrieving", spec.Suite)
	file := filepath.Join(dir, "base.tar")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return file, os.WriteFile(file, []byte("base of "+spec.Suite), 0o600)
}

func (w *world) note(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed = append(w.changed, name)
}

const shopRecipe = `name: shop
version: "2"
description: A shop
base: {debootstrap: {suite: bookworm}}
packages: [busybox]
files:
  - {path: /srv/www/index.html, content: hello, mode: "0640", owner: www-data}
steps:
  - {name: one, run: "true"}
  - {name: two, run: "echo two", timeout: 5m}
hooks:
  personalize: |
    echo "$LXDFLEET_DOMAIN" >/srv/domain
  health: {source: health.sh}
health: {body: hello, timeout: 30s}
`

// bundleOf makes a bundle of a recipe, with a health.sh beside it.
func bundleOf(t *testing.T, recipe string) Bundle {
	t.Helper()
	b, err := loadBundle(fstest.MapFS{
		RecipeName:  {Data: []byte(recipe)},
		"health.sh": {Data: []byte("#!/bin/sh\nexit 0\n")},
	}, RecipeName, RecipeName)
	do(t, err)
	return b
}

// has puts a version of the shop there, unpacked everywhere, without a job.
func (w *world) has(t *testing.T, version string, current bool) fleet.GoldenImage {
	t.Helper()
	g := fleet.GoldenImage{
		Name: "shop", Version: version, Description: "Shop " + version, Health: fleet.DefaultHealth(), Hooks: []string{"personalize"},
		RecipeHash: strings.Repeat(version, 64)[:64], JobID: "job-of-" + version, Size: fleet.GiB, CreatedAt: time.Now().Truncate(time.Second),
	}
	p, err := properties(g)
	do(t, err)
	aliases := []string{g.Ref().String()}
	if current {
		aliases = append(aliases, g.Name)
	}
	g.Fingerprint = w.lxd.AddImage(fleet.Image{Aliases: aliases, Properties: p, Size: g.Size, CreatedAt: g.CreatedAt})
	do(t, w.store.InsertImage(t.Context(), g))
	if current {
		do(t, w.store.SetCurrentImage(t.Context(), g.Ref()))
	}
	for _, m := range []string{"n1", "n2", "n3"} {
		do(t, w.lxd.EnsureUnpacked(t.Context(), g.Fingerprint, m))
		do(t, w.store.SetUnpacked(t.Context(), g.Fingerprint, m, true))
	}
	g, err = w.store.GoldenImage(t.Context(), g.Ref())
	do(t, err)
	return g
}

// uses puts a tenant of a version there.
func (w *world) uses(t *testing.T, name string, ref fleet.ImageRef) {
	t.Helper()
	do(t, w.store.InsertTenant(t.Context(), fleet.Tenant{
		ID: fleet.NewID(time.Now()), Name: fleet.Name(name), Image: ref, Plan: "small", Health: fleet.DefaultHealth(),
		Domains: []fleet.Domain{fleet.Domain(name + ".test")}, Desired: fleet.DesiredRunning,
		CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}))
}

// ends waits for a job, which must end as want, and gives it with all it printed.
func (w *world) ends(t *testing.T, job fleet.Job, err error, want fleet.JobState) (fleet.Job, string) {
	t.Helper()
	do(t, err)
	job, err = w.engine.Wait(t.Context(), job.ID)
	do(t, err)
	events, err := w.store.JobEvents(t.Context(), job.ID, 0, 0)
	do(t, err)
	var output strings.Builder
	for _, ev := range events {
		if ev.Type == fleet.EventOutput {
			output.WriteString(ev.Message)
		}
	}
	if job.State != want {
		t.Fatalf("the job ended as %s, want %s: %s\n%s", job.State, want, job.Error, output.String())
	}
	return job, output.String()
}

// snapshot is all that a job on an image may leave behind. Bases may stay, and are left out.
type snapshot struct {
	Instances []string
	LXD       []fleet.Image
	Records   []fleet.GoldenImage
	Work      []string
}

func (w *world) snap(t *testing.T) (s snapshot) {
	t.Helper()
	instances, err := w.lxd.Instances(t.Context(), false)
	do(t, err)
	for _, i := range instances {
		s.Instances = append(s.Instances, i.Name)
	}
	s.LXD, err = w.lxd.Images(t.Context())
	do(t, err)
	s.LXD = slices.DeleteFunc(s.LXD, func(i fleet.Image) bool { return i.Properties[PropBaseSpec] != "" })
	s.Records, err = w.store.GoldenImages(t.Context())
	do(t, err)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(w.deps.WorkDir), "*", "*"))
	do(t, err)
	s.Work = files
	return s
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError checks code, field and words of an error, and that it says what to do.
func wantError(t *testing.T, err error, code fleet.Code, field string, words ...string) {
	t.Helper()
	e, ok := asFleet(err)
	if !ok || e.Code != code || field != "" && e.Field != field || e.Hint == "" {
		t.Fatalf("error %#v; want code %s, field %q and a hint", err, code, field)
	}
	for _, word := range words {
		if !strings.Contains(err.Error()+" "+e.Hint, word) {
			t.Errorf("error %q, hint %q: no word of %q", err, e.Hint, word)
		}
	}
}

// synctestWorld runs the test on a world without a job engine.
func synctestWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

// wantSame checks that images are as they were.
func (w *world) wantSame(t *testing.T, before snapshot) {
	t.Helper()
	if diff := cmp.Diff(before, w.snap(t)); diff != "" {
		t.Errorf("something is left behind or lost (-before +after):\n%s", diff)
	}
}

func asFleet(err error) (*fleet.Error, bool) { return errors.AsType[*fleet.Error](err) }
