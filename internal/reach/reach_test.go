package reach_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
	"github.com/lxdfleet/lxdfleet/internal/reach"
)

// world is a cluster of two members with a bridge on each.
type world struct {
	t     *testing.T
	lxd   *lxdfake.LXD
	image string
}

func newWorld(t *testing.T, opts lxdfake.Options) *world {
	t.Helper()
	if opts.Members == nil {
		opts.Members = []string{"n1", "n2"}
	}
	w := &world{t: t, lxd: lxdfake.New(opts)}
	_, err := w.lxd.EnsureProfile(t.Context(), fleet.ProfileSpec{
		Name: "default", Devices: map[string]map[string]string{"eth0": {"type": "nic", "name": "eth0", "network": "lxdbr0"}},
	})
	w.do(err)
	w.image, err = w.lxd.EnsureImported(t.Context(), strings.NewReader("image"), nil, nil)
	w.do(err)
	return w
}

func (w *world) do(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) reach(way reach.Way, more ...func(*reach.Options)) *reach.Reach {
	opt := reach.Options{Way: way, First: 20000, Last: 20009, Project: "lxdfleet"}
	for _, f := range more {
		f(&opt)
	}
	return reach.New(w.lxd, opt)
}

// make makes a tenant's instance whose application listens on port 80.
func (w *world) make(name, member string) {
	w.t.Helper()
	w.do(w.lxd.EnsureClone(w.t.Context(), fleet.CloneSpec{
		Name: name, Fingerprint: w.image, Member: member, Profiles: []string{"default"},
		Config: map[string]string{fleet.KeyJob: name, fleet.KeyReady: "true", fleet.KeySpec: `{"health":{"port":80}}`},
	}, nil))
}

func (w *world) instance(name string) fleet.Instance {
	w.t.Helper()
	inst, err := w.lxd.Instance(w.t.Context(), name)
	w.do(err)
	return inst
}

func (w *world) device(name string) map[string]string {
	return w.instance(name).Devices[reach.DeviceName]
}

// backend asks where port 80 of the instance is reached.
func (w *world) backend(r *reach.Reach, name string) fleet.Backend {
	w.t.Helper()
	found, err := r.Backends(w.t.Context(), name, 80)
	w.do(err)
	if len(found) == 0 {
		return fleet.Backend{}
	}
	return found[0]
}

// up makes a running tenant and gives where it is reached.
func (w *world) up(r *reach.Reach, name, member string) fleet.Backend {
	w.t.Helper()
	w.make(name, member)
	w.do(r.EnsureStarted(w.t.Context(), name))
	return w.backend(r, name)
}

func (w *world) entries(member string) (all []string) {
	w.t.Helper()
	list, err := w.lxd.Forwards(w.t.Context(), "lxdbr0")
	w.do(err)
	for _, f := range list {
		for _, p := range f.Ports {
			if f.Member == member {
				all = append(all, fmt.Sprintf("%s %s:%s>%s:%s", p.Description, f.Listen, p.ListenPort, p.TargetAddress, p.TargetPort))
			}
		}
	}
	return all
}

func TestAuto(t *testing.T) {
	bridge := func(config map[string]string) []fleet.Network {
		return []fleet.Network{{Name: "lxdbr0", Type: "bridge", Managed: true, Config: config}}
	}
	subnet := map[string]string{"ipv4.address": "10.0.0.254/16"}
	for _, tt := range []struct {
		name     string
		networks []fleet.Network
		members  []string
		local    bool
		want     string // part of the backend of acme on the first member
	}{
		{"a bridge on each member", bridge(subnet), []string{"n1", "n2"}, true, "10.0.0.1:20"},
		{"the same without a subnet", bridge(nil), []string{"n1", "n2"}, true, "10.0.0.1:20"},
		{"a bridge of the only host", bridge(subnet), []string{"n1"}, true, "10.0.1."},
		{"a bridge of another host", bridge(subnet), []string{"n1"}, false, "10.0.0.1:20"},
		{"a bridge the hosts share", []fleet.Network{{Name: "lxdbr0", Type: "bridge"}}, []string{"n1", "n2"}, false, ":80"},
		{"a fan", bridge(map[string]string{"ipv4.address": "10.0.0.254/16", "bridge.mode": "fan"}), []string{"n1", "n2"}, false, ":80"},
		{"a bridge with a port outside", bridge(map[string]string{"bridge.external_interfaces": "eth1"}), []string{"n1", "n2"}, false, ":80"},
		{"OVN", []fleet.Network{{Name: "lxdbr0", Type: "ovn", Managed: true}}, []string{"n1", "n2"}, false, "10.0.0.1:20"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, lxdfake.Options{Members: tt.members, Networks: tt.networks})
			r := w.reach(reach.Auto, func(o *reach.Options) { o.Local = tt.local })
			if b := w.up(r, "acme", "n1"); !strings.Contains(b.Dial(80), tt.want) {
				t.Errorf("reached at %+v, want %s", b, tt.want)
			}
			for _, f := range r.Examine(t.Context()) {
				if f.Check == "reach" && f.State != "ok" {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

func TestDevice(t *testing.T) {
	w := newWorld(t, lxdfake.Options{})
	r := w.reach(reach.Device)
	acme, globex := w.up(r, "acme", "n1"), w.up(r, "globex", "n2")
	if !strings.HasPrefix(acme.Via, "10.0.0.1:2000") || !strings.HasPrefix(globex.Via, "10.0.0.2:2000") || acme.Port != 80 {
		t.Fatalf("reached at %+v and %+v", acme, globex)
	}
	if acme.Via[len("10.0.0.1"):] == globex.Via[len("10.0.0.2"):] {
		t.Errorf("both have the port of %s", acme.Via)
	}
	calls := w.lxd.Calls("EnsureDevice")
	again := w.reach(reach.Device) // another process finds the same
	if b := w.backend(again, "acme"); b != acme || w.lxd.Calls("EnsureDevice") != calls {
		t.Errorf("reached at %+v, was %+v", b, acme)
	}
	list, err := again.Instances(t.Context(), true)
	w.do(err)
	if list[0].Backend != acme || list[1].Backend != globex || len(list[0].Addresses) != 0 {
		t.Errorf("listed: %+v", list)
	}
	if b, err := r.Backends(t.Context(), "acme", 8080); err != nil || len(b) != 1 || b[0].Via != acme.Via || b[0].Port != 8080 ||
		w.device("acme")["connect"] != "tcp:127.0.0.1:8080" {
		t.Errorf("for another port: %+v, %v, %v", b, w.device("acme"), err)
	}
	w.do(r.EnsureDeleted(t.Context(), "acme"))
	if b := w.up(r, "acme", "n1"); b != acme {
		t.Errorf("made anew it is reached at %+v, was %+v", b, acme)
	}
}

func TestDeviceFollowsTheInstance(t *testing.T) {
	w := newWorld(t, lxdfake.Options{})
	r := w.reach(reach.Device)
	before := w.up(r, "acme", "n1")
	w.do(w.lxd.LxcStop("acme"))
	w.do(w.lxd.LxcMove("acme", "n2"))
	if err := w.lxd.EnsureStarted(t.Context(), "acme"); fleet.CodeOf(err) != fleet.Failed {
		t.Fatalf("LXD starts it with the other member's address: %v", err)
	}
	w.do(r.EnsureStarted(t.Context(), "acme"))
	if b := w.backend(r, "acme"); b.Via != strings.Replace(before.Via, "10.0.0.1", "10.0.0.2", 1) {
		t.Errorf("reached at %+v, was %+v", b, before)
	}
}

func TestDeviceOnAllAddressesNeedsNoHelp(t *testing.T) {
	w := newWorld(t, lxdfake.Options{})
	r := w.reach(reach.Device, func(o *reach.Options) { o.Listen = "0.0.0.0" })
	before := w.up(r, "acme", "n1")
	w.up(r, "globex", "n2")
	w.do(w.lxd.LxcEvacuate("n1"))
	if b := w.backend(r, "acme"); b.Via != strings.Replace(before.Via, "10.0.0.1", "10.0.0.2", 1) {
		t.Errorf("reached at %+v, was %+v", b, before)
	}
}

func TestDeviceOfACopy(t *testing.T) {
	w := newWorld(t, lxdfake.Options{})
	r := w.reach(reach.Device)
	original := w.up(r, "acme", "n1")
	w.do(w.lxd.EnsureCopy(t.Context(), fleet.CopySpec{Source: "acme", Name: "copy", Config: map[string]string{fleet.KeyJob: "x"}}, nil))
	w.do(r.EnsureStarted(t.Context(), "copy"))
	if b := w.backend(r, "copy"); !b.Known() || b.Via == original.Via {
		t.Errorf("the copy is reached at %+v", b)
	}
	if b := w.backend(r, "acme"); b != original {
		t.Errorf("the original is reached at %+v, was %+v", b, original)
	}
}

func TestDeviceWhereThePortIsTaken(t *testing.T) {
	w := newWorld(t, lxdfake.Options{})
	r := w.reach(reach.Device)
	first := w.up(r, "acme", "n1")
	w.do(w.lxd.LxcStop("acme"))
	w.lxd.Occupy("tcp:" + first.Via) // by another program on the member
	w.do(r.EnsureStarted(t.Context(), "acme"))
	if b := w.backend(r, "acme"); !b.Known() || b == first {
		t.Errorf("reached at %+v, where something else listens", b)
	}
}

func TestPortsRunOut(t *testing.T) {
	for _, way := range []reach.Way{reach.Device, reach.Forward} {
		w := newWorld(t, lxdfake.Options{})
		r := w.reach(way)
		seen := map[string]bool{}
		for i := range 10 {
			seen[w.up(r, fmt.Sprintf("t%d", i), "n1").Via] = true
		}
		if len(seen) != 10 {
			t.Errorf("%s: ten instances have %d ports", way, len(seen))
		}
		w.make("one-too-many", "n1")
		w.do(r.EnsureStarted(t.Context(), "one-too-many"))
		_, err := r.Backends(t.Context(), "one-too-many", 80)
		if fleet.CodeOf(err) != fleet.Exhausted || !strings.Contains(err.Error(), "20000") {
			t.Errorf("%s: %v", way, err)
		}
		w.do(r.EnsureDeleted(t.Context(), "t3"))
		if b := w.backend(r, "one-too-many"); !b.Known() {
			t.Errorf("%s: a port that is free again is not given", way)
		}
	}
}

func TestForward(t *testing.T) {
	w := newWorld(t, lxdfake.Options{})
	r := w.reach(reach.Forward)
	acme, globex := w.up(r, "acme", "n1"), w.up(r, "globex", "n2")
	if !strings.HasPrefix(acme.Via, "10.0.0.1:2000") || !strings.HasPrefix(globex.Via, "10.0.0.2:2000") || acme.Address == "" {
		t.Fatalf("reached at %+v and %+v", acme, globex)
	}
	list, err := w.reach(reach.Forward).Instances(t.Context(), true)
	w.do(err)
	if list[0].Backend != acme || list[1].Backend != globex {
		t.Errorf("listed: %+v", list)
	}
	operators := fleet.ForwardPort{Description: "mail", Protocol: "tcp", ListenPort: "25,20001-20002", TargetPort: "25", TargetAddress: acme.Address}
	w.do(w.lxd.EnsureForward(t.Context(), "lxdbr0", "n1", "10.0.0.1", func(p []fleet.ForwardPort) []fleet.ForwardPort { return append(p, operators) }))
	w.do(w.lxd.LxcSetAddress("acme", "10.0.9.9"))
	if b := w.backend(r, "acme"); b.Via != acme.Via || b.Address != "10.0.9.9" {
		t.Errorf("with another address it is reached at %+v", b)
	}
	// What has acme's address now must not get acme's requests.
	w.make("initech", "n1")
	w.do(w.lxd.LxcStart("initech"))
	w.do(w.lxd.LxcSetAddress("acme", "10.0.9.10"))
	w.do(w.lxd.LxcSetAddress("initech", "10.0.9.9"))
	w.backend(r, "initech")
	for _, e := range w.entries("n1") {
		if strings.HasPrefix(e, "lxdfleet lxdfleet/acme ") {
			t.Errorf("acme's port leads to initech: %s", e)
		}
	}
	w.do(r.EnsureDeleted(t.Context(), "initech"))
	if got := w.entries("n1"); len(got) != 1 || !strings.HasPrefix(got[0], "mail ") {
		t.Errorf("left: %v", got)
	}
}

func TestTidy(t *testing.T) {
	w := newWorld(t, lxdfake.Options{})
	forward := w.reach(reach.Forward)
	w.up(forward, "acme", "n1")
	w.up(forward, "globex", "n1")
	w.do(w.lxd.LxcStop("acme"))
	w.do(w.lxd.LxcMove("acme", "n2"))
	w.do(w.lxd.LxcDelete("globex"))
	w.do(w.lxd.LxcStart("acme"))
	w.backend(forward, "acme")
	w.do(forward.Tidy(t.Context()))
	if n1, n2 := w.entries("n1"), w.entries("n2"); len(n1) != 0 || len(n2) != 1 {
		t.Errorf("entries of n1: %v, of n2: %v", n1, n2)
	}
	device := w.reach(reach.Device)
	w.backend(device, "acme")
	w.do(device.Tidy(t.Context()))
	if n2 := w.entries("n2"); len(n2) != 0 || w.device("acme") == nil {
		t.Errorf("by devices: entries %v, device %v", n2, w.device("acme"))
	}
	for _, way := range []reach.Way{reach.Direct, reach.Auto} {
		w.backend(device, "acme")
		w.do(w.reach(way).Tidy(t.Context()))
		if w.device("acme") != nil {
			t.Errorf("%s: the device stays", way)
		}
	}
}

func TestKeepMendsWhatAnOperatorMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, lxdfake.Options{})
		r := w.reach(reach.Device)
		w.up(r, "acme", "n1")
		ctx, stop := context.WithCancel(t.Context())
		go r.Keep(ctx)
		synctest.Wait()
		w.do(w.lxd.LxcStop("acme"))
		w.do(w.lxd.LxcMove("acme", "n2"))
		synctest.Wait()
		w.do(w.lxd.LxcStart("acme"))
		r.Direct(ctx)
		w.do(w.lxd.LxcDelete("acme"))
		time.Sleep(6 * time.Minute) // it tidies up, twice
		stop()
		synctest.Wait()
	})
}

// An LXD that is away says nothing, and nothing is taken for direct.
func TestLXDAway(t *testing.T) {
	w := newWorld(t, lxdfake.Options{})
	r := w.reach(reach.Auto)
	w.lxd.SetDown(true)
	if r.Direct(t.Context()) {
		t.Error("taken for direct")
	}
	if _, err := r.Backends(t.Context(), "acme", 80); fleet.CodeOf(err) != fleet.Unavailable {
		t.Errorf("backends: %v", err)
	}
	if f := r.Examine(t.Context()); len(f) != 1 || f[0].State != "fail" || f[0].Hint == "" {
		t.Errorf("findings: %+v", f)
	}
}

func TestExamineSaysWhichWayIsNeeded(t *testing.T) {
	for _, tt := range []struct {
		name  string
		way   reach.Way
		state string // of the trial on n1
		says  string // anywhere
	}{
		{"direct, on bridges of the members", reach.Direct, "fail", "set network.reach: forward"},
		{"forward", reach.Forward, "fail", "nothing leads to it yet"},
		{"auto", reach.Auto, "fail", "lxdbr0 is a bridge of its own on each member"},
	} {
		w := newWorld(t, lxdfake.Options{Address: func(string) string { return "127.0.0.77" }, Exec: func(_ context.Context, _ string, spec fleet.ExecSpec) (int, error) {
			_, err := io.WriteString(spec.Stdout, "  sl  local_address rem_address   st\n")
			return 0, err
		}})
		w.make("acme", "n1")
		w.do(w.lxd.LxcStart("acme"))
		findings := w.reach(tt.way).Examine(t.Context())
		if len(findings) != 2 || findings[1].State != tt.state || findings[1].Check != "reach n1" || !strings.Contains(fmt.Sprint(findings), tt.says) {
			t.Errorf("%s: %+v", tt.name, findings)
		}
	}
}
