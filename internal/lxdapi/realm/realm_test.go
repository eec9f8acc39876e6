package realm

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func do(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

func wantCode(t testing.TB, err error, want fleet.Code) {
	t.Helper()
	if got := fleet.CodeOf(err); got != want {
		t.Errorf("error is %q: %v, want %q", got, err, want)
	}
}

// world is a home cluster of two members with acme on n1, and the stand-alone server west.
type world struct {
	*Realm
	home, west *lxdfake.LXD
	known      map[string]LXD
	settled    map[string]string
	image      string
}

// Names implements Clusters, as does Dial.
func (w *world) Names(context.Context) ([]string, error) {
	return slices.Collect(maps.Keys(w.known)), nil
}

func (w *world) Dial(_ context.Context, cluster string) (LXD, error) { return w.known[cluster], nil }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		home: lxdfake.New(lxdfake.Options{Members: []string{"n1", "n2"}}), west: lxdfake.New(lxdfake.Options{}),
		settled: map[string]string{},
	}
	w.known = map[string]LXD{"west": w.west}
	w.image = w.home.AddImage(fleet.Image{})
	var err error
	w.Realm, err = New(t.Context(), w.home, Options{
		Clusters: w, Local: "lxdfleet",
		Link: func(source, target LXD) Copier {
			return lxdfake.Link{Source: source.(*lxdfake.LXD), Target: target.(*lxdfake.LXD)}
		},
		Settled: func(context.Context) (map[string]string, error) { return w.settled, nil },
	})
	do(t, err)
	do(t, w.home.LxcCreate(fleet.CloneSpec{Name: "acme", Fingerprint: w.image, Member: "n1", Profiles: []string{"default"}, Config: map[string]string{fleet.KeyJob: "first"}}))
	return w
}

// locations are those of all instances, as the Realm lists them.
func (w *world) locations(t *testing.T) string {
	t.Helper()
	list, err := w.Instances(t.Context(), false)
	do(t, err)
	var words []string
	for _, inst := range list {
		word := inst.Name + "@" + inst.Location
		if inst.Status == fleet.InstanceError {
			word += "!"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func copySpec(member string) fleet.CopySpec {
	return fleet.CopySpec{Source: "acme", Name: "copy", Member: member, Snapshots: true, Config: map[string]string{fleet.KeyJob: "move"}}
}

// away has west not answer, and the Realm know it.
func (w *world) away(t *testing.T, down bool) {
	t.Helper()
	w.west.SetDown(down)
	for _, o := range w.list() {
		w.look(t.Context(), o)
	}
}

func TestMoveThereAndBack(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	do(t, w.EnsureDevice(ctx, "acme", "lxdfleet", map[string]string{"type": "proxy", "listen": "tcp:10.0.0.1:20000", "connect": "tcp:127.0.0.1:80"}))
	_, err := w.home.EnsureProfile(ctx, fleet.ProfileSpec{Name: "small", Config: map[string]string{"limits.cpu": "1"}})
	do(t, err)
	do(t, w.SetProfiles(ctx, "acme", []string{"default", "small"}))
	do(t, w.EnsureSnapshot(ctx, "acme", "s1"))
	spec := copySpec("west:none")
	for range 2 { // again after a crash
		do(t, w.EnsureCopy(ctx, spec, nil))
	}
	do(t, w.EnsureSnapshot(ctx, "acme", "s2"))
	do(t, w.EnsureRefreshed(ctx, spec, nil))
	if got := w.locations(t); got != "acme@n1 copy@west:none" {
		t.Errorf("instances %s", got)
	}
	wantCode(t, w.EnsureRenamed(ctx, "copy", "acme"), fleet.Taken)
	do(t, w.EnsureRenamed(ctx, "acme", "left"))
	for range 2 {
		do(t, w.EnsureRenamed(ctx, "copy", "acme"))
	}
	there, err := w.Instance(ctx, "acme")
	do(t, err)
	if there.Location != "west:none" || !slices.Equal(there.Profiles, []string{"default", "small"}) || there.Devices["lxdfleet"]["type"] != "none" {
		t.Errorf("%+v", there)
	}
	do(t, w.EnsureStarted(ctx, "acme"))
	do(t, w.EnsureDeleted(ctx, "left"))
	snapshots, err := w.Snapshots(ctx, "acme")
	do(t, err)
	all, err := w.AllSnapshots(ctx)
	do(t, err)
	if len(snapshots) != 2 || len(all["acme"]) != 2 {
		t.Errorf("snapshots %v, %v", snapshots, all)
	}
	if _, err := w.EnsureStopped(ctx, "acme", time.Second); err != nil {
		t.Error(err)
	}
	back := copySpec("n2")
	do(t, w.EnsureCopy(ctx, back, nil))
	do(t, w.EnsureDeleted(ctx, "acme"))
	do(t, w.EnsureRenamed(ctx, "copy", "acme"))
	if got := w.locations(t); got != "acme@n2" {
		t.Errorf("instances %s", got)
	}
}

func TestNamesAreUnique(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	do(t, w.west.LxcCreate(fleet.CloneSpec{Name: "globex", Fingerprint: w.west.AddImage(fleet.Image{}), Config: map[string]string{}}))
	for name, err := range map[string]error{
		"clone":      w.EnsureClone(ctx, fleet.CloneSpec{Name: "globex", Fingerprint: w.image, Config: map[string]string{fleet.KeyJob: "j"}}, nil),
		"copy":       w.EnsureCopy(ctx, fleet.CopySpec{Source: "acme", Name: "globex", Config: map[string]string{fleet.KeyJob: "j"}}, nil),
		"rename":     w.EnsureRenamed(ctx, "acme", "globex"),
		"copy there": w.EnsureCopy(ctx, fleet.CopySpec{Source: "globex", Name: "acme", Config: map[string]string{fleet.KeyJob: "j"}}, nil),
	} {
		if fleet.CodeOf(err) != fleet.Taken {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCloneElsewhere(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	image, err := w.EnsureImported(ctx, strings.NewReader("a golden image"), map[string]string{"os": "debian"}, nil)
	do(t, err)
	spec := fleet.CloneSpec{Name: "globex", Fingerprint: image, Member: "west:none", Config: map[string]string{fleet.KeyJob: "j"}}
	for range 2 {
		do(t, w.EnsureClone(ctx, spec, nil))
	}
	if got := w.locations(t); got != "acme@n1 globex@west:none" {
		t.Errorf("instances %s", got)
	}
	do(t, w.EnsureImageDeleted(ctx, image))
	if _, err := w.west.Image(ctx, image); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("the image that was sent: %v", err)
	}
	spec.Member = "south:n1"
	wantCode(t, w.EnsureClone(ctx, spec, nil), fleet.Taken)
	spec.Name = "other"
	wantCode(t, w.EnsureClone(ctx, spec, nil), fleet.Invalid)
}

// TestAway has the other cluster go away, and then the daemon start anew.
func TestAway(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	do(t, w.EnsureCopy(ctx, copySpec("west:"+"none"), nil))
	do(t, w.EnsureSnapshot(ctx, "copy", "s1"))
	_, err := w.AllSnapshots(ctx)
	do(t, err)
	_, err = w.Members(ctx)
	do(t, err)
	w.locations(t)
	do(t, w.EnsureRenamed(ctx, "copy", "renamed")) // after the last list
	do(t, w.EnsureRenamed(ctx, "renamed", "copy"))
	do(t, w.EnsureCopy(ctx, fleet.CopySpec{Source: "copy", Name: "new", Config: map[string]string{fleet.KeyJob: "j"}}, nil))
	w.away(t, true)
	wantCode(t, w.EnsureDeleted(ctx, "new"), fleet.Unavailable)
	wantCode(t, w.EnsureRenamed(ctx, "acme", "new"), fleet.Taken)
	if got := w.locations(t); got != "acme@n1 copy@west:none! new@!" {
		t.Errorf("instances %s", got)
	}
	w.away(t, false)
	do(t, w.EnsureDeleted(ctx, "new"))
	w.locations(t)
	w.away(t, true)
	calls := w.west.Calls("Instances")
	if got := w.locations(t); got != "acme@n1 copy@west:none!" {
		t.Errorf("instances %s", got)
	}
	if w.west.Calls("Instances") != calls {
		t.Error("a cluster that is away is asked")
	}
	all, err := w.AllSnapshots(ctx)
	do(t, err)
	if len(all["copy"]) != 1 {
		t.Errorf("snapshots %v", all)
	}
	_, err = w.Instance(ctx, "copy")
	wantCode(t, err, fleet.Unavailable)
	wantCode(t, w.EnsureDeleted(ctx, "copy"), fleet.Unavailable)
	wantCode(t, w.EnsureRenamed(ctx, "acme", "copy"), fleet.Taken)
	do(t, w.EnsureStarted(ctx, "acme"))
	members, err := w.Members(ctx)
	do(t, err)
	if last := members[len(members)-1]; len(members) != 3 || last.Name != "west:none" || last.Online || last.Status != fleet.MemberOffline {
		t.Errorf("members %+v", members)
	}

	w.settled["copy"] = "west:none"
	again, err := New(ctx, w.home, w.opt)
	do(t, err)
	w.Realm = again
	w.away(t, true)
	if got := w.locations(t); got != "acme@n1 copy@west:none!" {
		t.Errorf("after a start: instances %s", got)
	}
	w.forget("copy")
	_, err = w.Instance(ctx, "copy")
	wantCode(t, err, fleet.Unavailable)
	_, err = w.Instance(ctx, "nobody")
	wantCode(t, err, fleet.NotFound)
	_, err = w.Snapshots(ctx, "nobody")
	wantCode(t, err, fleet.Unavailable) // it may be there, and is not to be taken for gone
	members, err = w.Members(ctx)
	do(t, err)
	if last := members[len(members)-1]; last.Name != "west:" || last.Online {
		t.Errorf("members %+v", members)
	}
	w.away(t, false)
	if got := w.locations(t); got != "acme@n1 copy@west:none" {
		t.Errorf("instances %s", got)
	}
}

// TestHomeAway: what is elsewhere goes on while the home cluster is away.
func TestHomeAway(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	do(t, w.EnsureCopy(ctx, copySpec("west:none"), nil))
	w.forget("copy")
	w.home.SetDown(true)
	do(t, w.EnsureStarted(ctx, "copy"))
	_, err := w.Instance(ctx, "acme")
	wantCode(t, err, fleet.Unavailable)
}

// TestMovedByHand: an operator moves an instance from one cluster to another.
func TestMovedByHand(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	_, err := w.Instance(ctx, "acme")
	do(t, err)
	do(t, lxdfake.Link{Source: w.home, Target: w.west}.EnsureCopy(ctx, fleet.CopySpec{Source: "acme", Name: "acme", Config: map[string]string{fleet.KeyJob: "x"}}, nil))
	do(t, w.home.LxcDelete("acme"))
	inst, err := w.Instance(ctx, "acme")
	if err != nil || inst.Location != "west:none" {
		t.Errorf("%+v, %v", inst, err)
	}
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, stop := context.WithCancel(t.Context())
		go w.Run(ctx)
		events := w.Events(ctx)
		heard := func() (said []string) {
			synctest.Wait()
			for len(events) > 0 {
				e := <-events
				said = append(said, e.Action+" "+e.Name+"@"+e.Member)
			}
			return said
		}
		if got := heard(); len(got) != 2 {
			t.Errorf("at first %q", got)
		}
		do(t, w.EnsureCopy(ctx, copySpec("west:none"), nil))
		if got := heard(); !slices.Contains(got, "instance-created copy@west:none") {
			t.Errorf("after a copy %q", got)
		}
		w.west.SetDown(true)
		time.Sleep(2 * lookEvery)
		if got := heard(); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, fleet.EventsResumed) }) {
			t.Errorf("after it went away %q", got)
		}
		if !w.Away("west") {
			t.Error("west is not away")
		}
		w.west.SetDown(false)
		time.Sleep(2 * lookEvery)
		heard()
		delete(w.known, "west")
		do(t, w.Read(ctx))
		do(t, w.west.LxcDelete("copy"))
		if got := heard(); len(got) > 0 || !w.alone() {
			t.Errorf("of a cluster that was removed %q", got)
		}
		stop()
		for range events { //nolint:revive // until it is closed
		}
	})
}
