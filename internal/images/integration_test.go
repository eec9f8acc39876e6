//go:build integration

package images_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/images"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

// TestRealBuild builds a recipe that comes with lxdfleet on a real LXD, clones it twice and
// deletes it. LXDFLEET_RECIPE chooses another recipe than the static one.
func TestRealBuild(t *testing.T) {
	recipe := cmp.Or(os.Getenv("LXDFLEET_RECIPE"), "static")
	w := realWorld(t, "lxdfleet-test-build")
	bundle, err := images.BuiltinBundle(recipe)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	w.build(t, bundle, fleet.JobDone)
	t.Logf("built %s in %s", recipe, time.Since(start).Round(time.Millisecond))

	g, err := w.service.Get(t.Context(), fleet.ImageRef{Name: recipe})
	if err != nil {
		t.Fatal(err)
	}
	online := w.online(t)
	if !slices.Equal(slices.Sorted(slices.Values(g.Members)), online) {
		t.Errorf("unpacked on %v, members are %v", g.Members, online)
	}
	w.wantInstances(t)

	ids, pages := map[string]bool{}, map[string]bool{}
	for _, name := range []string{"acme", "globex"} {
		page, id, credentials := w.clone(t, g, name)
		if !strings.Contains(page, name) {
			t.Errorf("the page of %s does not name it:\n%.500s", name, page)
		}
		if id == "" || ids[id] || pages[credentials] {
			t.Errorf("%s shares its machine-id or credentials", name)
		}
		ids[id], pages[credentials] = true, true
	}

	if _, err := w.service.Build(t.Context(), bundle.Tar, "", ""); fleet.CodeOf(err) != fleet.Taken {
		t.Errorf("built again: %v", err)
	}

	// What LXD says of its images rebuilds the records.
	empty := openStore(t)
	found, err := images.Recover(t.Context(), w.lxd, empty)
	if err != nil || len(found) != 1 || found[0].Fingerprint != g.Fingerprint || !found[0].Current ||
		found[0].Health != g.Health || !slices.Equal(found[0].Hooks, g.Hooks) || found[0].RecipeHash != g.RecipeHash {
		t.Errorf("recovered %+v, %v; want %+v", found, err, g)
	}
	for _, name := range []string{"acme", "globex"} {
		if err := w.lxd.EnsureDeleted(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	job, err := w.service.Delete(t.Context(), g.Ref(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	w.wait(t, job, fleet.JobDone)
	if _, err := w.lxd.Image(t.Context(), recipe); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("the deleted image: %v", err)
	}
}

// TestRealBuildFails builds recipes that cannot work, and expects the reason and nothing else.
func TestRealBuildFails(t *testing.T) {
	w := realWorld(t, "lxdfleet-test-broken")
	for name, c := range map[string]struct {
		rest, want string
		code       fleet.Code
	}{
		"a step fails":          {"steps:\n  - {name: cheese, run: \"echo out of cheese >&2; exit 7\"}", "exit code 7: out of cheese", fleet.Failed},
		"a package is missing":  {"packages: [no-such-package-anywhere]", "no-such-package-anywhere", fleet.Failed},
		"it never gets healthy": {"steps:\n  - {name: nothing, run: \"true\"}\nhealth: {timeout: 3s}", "no good answer", fleet.Unhealthy},
		"the hook fails":        {"hooks:\n  personalize: |\n    echo no; exit 4", "exit code 4: no", fleet.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			bundle := writeRecipe(t, "name: broken\nversion: \"1\"\nbase: {debootstrap: {suite: bookworm}}\n"+c.rest+"\n")
			job := w.build(t, bundle, fleet.JobUndone)
			if job.ErrorCode != c.code || !strings.Contains(job.Error, c.want) {
				t.Errorf("%s: %s", job.ErrorCode, job.Error)
			}
			w.wantInstances(t)
			all, err := w.lxd.Images(t.Context())
			if err != nil || len(all) != 1 || all[0].Properties[images.PropBaseSpec] == "" {
				t.Errorf("images left besides the base: %+v, %v", all, err)
			}
		})
	}
}

// writeRecipe makes a bundle of a recipe that names no files.
func writeRecipe(t *testing.T, text string) images.Bundle {
	t.Helper()
	file := filepath.Join(t.TempDir(), images.RecipeName)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := images.LoadBundle(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type world struct {
	lxd     *lxdapi.Client
	store   *store.Store
	engine  *jobs.Engine
	service *images.Service
}

func realWorld(t *testing.T, project string) *world {
	t.Helper()
	lxd, err := lxdapi.Connect(t.Context(), lxdapi.Options{Project: project})
	if err != nil {
		t.Fatalf("%v\nrun \"scripts/devcluster up\" and eval \"$(scripts/devcluster env)\"", err)
	}
	t.Cleanup(lxd.Close)
	w := &world{lxd: lxd, store: openStore(t)}
	w.empty(t)
	config := map[string]string{"features.images": "true", "features.profiles": "true"}
	if _, err := lxd.EnsureProject(t.Context(), fleet.ProjectSpec{Name: project, Config: config}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.empty(t) })
	if _, err := lxd.EnsureProfile(t.Context(), fleet.ProfileSpec{Name: "default", Devices: defaultDevices(t)}); err != nil {
		t.Fatal(err)
	}
	deps := images.Deps{LXD: lxd, Store: w.store, WorkDir: t.TempDir()}
	registry := jobs.NewRegistry()
	if err := images.Register(registry, deps); err != nil {
		t.Fatal(err)
	}
	w.engine = jobs.NewEngine(w.store, registry, jobs.Options{Workers: 4})
	if err := w.engine.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.engine.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	w.service = images.NewService(deps, w.engine)
	return w
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite::memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func defaultDevices(t *testing.T) map[string]map[string]string {
	t.Helper()
	lxd, err := lxdapi.Connect(t.Context(), lxdapi.Options{Project: "default"})
	if err != nil {
		t.Fatal(err)
	}
	defer lxd.Close()
	profiles, err := lxd.Profiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(profiles, func(p fleet.ProfileSpec) bool { return p.Name == "default" })
	if i < 0 {
		t.Fatal("LXD's default project has no default profile")
	}
	return profiles[i].Devices
}

// empty removes the project with all that is in it.
func (w *world) empty(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	instances, err := w.lxd.Instances(ctx, false)
	if fleet.CodeOf(err) == fleet.NotFound {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range instances {
		if err := w.lxd.EnsureDeleted(ctx, i.Name); err != nil {
			t.Error(err)
		}
	}
	if err := w.lxd.DeleteProject(ctx); err != nil {
		t.Error(err)
	}
}

func (w *world) build(t *testing.T, b images.Bundle, want fleet.JobState) fleet.Job {
	t.Helper()
	job, err := w.service.Build(t.Context(), b.Tar, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return w.wait(t, job, want)
}

func (w *world) wait(t *testing.T, job fleet.Job, want fleet.JobState) fleet.Job {
	t.Helper()
	job, err := w.engine.Wait(t.Context(), job.ID)
	if err != nil {
		t.Fatal(err)
	}
	events, err := w.engine.Events(t.Context(), job.ID, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var story strings.Builder
	times := map[string]time.Time{}
	for _, e := range events {
		switch e.Type {
		case fleet.EventStarted:
			times[e.Step] = e.At
		case fleet.EventDone:
			t.Logf("%-10s %s", e.Step, e.At.Sub(times[e.Step]).Round(time.Millisecond))
		}
		fmt.Fprintf(&story, "%s %s %s\n", e.Step, e.Type, e.Message)
	}
	if job.State != want {
		t.Fatalf("the job is %s: %s\n%s", job.State, job.Error, story.String())
	}
	return job
}

func (w *world) online(t *testing.T) []string {
	t.Helper()
	members, err := w.lxd.Members(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range members {
		if m.Online {
			names[m.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (w *world) wantInstances(t *testing.T, want ...string) {
	t.Helper()
	instances, err := w.lxd.Instances(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range instances {
		names = append(names, i.Name)
	}
	if !slices.Equal(names, want) {
		t.Errorf("instances %v, want %v", names, want)
	}
}

// clone makes a tenant's instance as a tenant's creation would and gives its front page,
// machine-id and credentials.
func (w *world) clone(t *testing.T, g fleet.GoldenImage, name string) (page, id, credentials string) {
	t.Helper()
	ctx := t.Context()
	last := time.Now()
	lap := func(what string) {
		t.Logf("%s: %-12s %s", name, what, time.Since(last).Round(time.Millisecond))
		last = time.Now()
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.lxd.EnsureClone(ctx, fleet.CloneSpec{
		Name: name, Fingerprint: g.Fingerprint, Profiles: []string{"default"}, Config: map[string]string{fleet.KeyJob: "test"},
	}, nil))
	lap("clone")
	must(w.lxd.EnsureStarted(ctx, name))
	lap("start")
	w.personalize(t, name)
	lap("personalize")
	var addresses []string
	for len(addresses) == 0 {
		var err error
		addresses, err = w.lxd.Addresses(ctx, name)
		must(err)
	}
	lap("address")
	for page == "" {
		page = get(ctx, addresses[0], g.Health.Port, g.Health.Path, name)
	}
	lap("health")
	page = get(ctx, addresses[0], g.Health.Port, "/", name)
	lap("first page")
	id, credentials = w.read(t, name, "/etc/machine-id"), w.read(t, name, "/root/lxdfleet-credentials")
	w.personalize(t, name)
	if again := w.read(t, name, "/root/lxdfleet-credentials"); again != credentials {
		t.Errorf("a second personalize changed the credentials of %s", name)
	}
	return page, id, credentials
}

func (w *world) personalize(t *testing.T, name string) {
	t.Helper()
	var out bytes.Buffer
	exit, err := w.lxd.Exec(t.Context(), name, fleet.ExecSpec{
		Command: []string{fleet.HookDir + "/personalize"}, Stdout: &out, Stderr: &out,
		Env: map[string]string{
			"LXDFLEET_TENANT": name, "LXDFLEET_DOMAIN": name + ".localhost", "LXDFLEET_DOMAINS": name + ".localhost",
			"LXDFLEET_URL": "https://" + name + ".localhost",
		},
	})
	if err != nil || exit != 0 {
		t.Fatalf("personalize %s: exit %d, %v\n%s", name, exit, err, out.String())
	}
}

func (w *world) read(t *testing.T, name, path string) string {
	t.Helper()
	r, err := w.lxd.ReadFile(t.Context(), name, path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// get gives a page, or nothing where the answer is not good.
func get(ctx context.Context, address string, port int, path, name string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(address, strconv.Itoa(port))+path, nil)
	if err != nil {
		return ""
	}
	req.Host = name + ".localhost"
	req.Header.Set("X-Forwarded-Proto", "https")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}
