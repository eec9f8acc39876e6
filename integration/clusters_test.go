//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// foreign is another LXD than the home cluster, on a network of its own.
type foreign struct {
	t      *testing.T
	env    []string
	home   string // LXD_DIR of its first member
	prefix string // of its network devices
}

// startForeign starts one, the nth beside the home cluster, as the arguments of devcluster up say,
// and removes it after the test. scripts/test-integration removes what a test that was killed leaves.
func startForeign(t *testing.T, name string, nth byte, args ...string) *foreign {
	t.Helper()
	dir := os.Getenv("DEVCLUSTER_DIR") + "-" + name
	first, err := netip.ParsePrefix(os.Getenv("DEVCLUSTER_SUBNET"))
	if err != nil {
		t.Fatal(err)
	}
	subnet := first.Masked().Addr().As4()
	subnet[2] += nth
	s := &foreign{t: t, home: dir + "/n1", prefix: os.Getenv("DEVCLUSTER_PREFIX") + name[:1]}
	s.env = append(os.Environ(), "DEVCLUSTER_DIR="+dir, "DEVCLUSTER_PREFIX="+s.prefix,
		"DEVCLUSTER_SUBNET="+netip.PrefixFrom(netip.AddrFrom4(subnet), 24).String(), "LXD_DIR="+s.home)
	t.Cleanup(func() {
		s.devcluster("down")
		s.devcluster("check-clean")
	})
	s.devcluster("down")
	s.devcluster(append([]string{"up"}, args...)...)
	return s
}

// token makes one by which a client is trusted.
func (s *foreign) token() string {
	s.t.Helper()
	said := strings.Fields(s.run("lxc", "config", "trust", "add", "--name", "lxdfleet"))
	return said[len(said)-1]
}

func (s *foreign) devcluster(args ...string) { s.run("../scripts/devcluster", args...) }

func (s *foreign) run(name string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Errorf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// instances lists the names of all instances in the project.
func (s *foreign) instances(project string) []string {
	s.t.Helper()
	return strings.Fields(s.run("lxc", "--project", project, "list", "-f", "csv", "-c", "n"))
}

// TestMoveBetweenClusters moves a tenant to another LXD and back, while visitors come. The daemon is
// killed in the middle of moves, and the other LXD goes away for a while.
func TestMoveBetweenClusters(t *testing.T) {
	t.Parallel()
	s := startForeign(t, "west", 1, "--stand-alone")
	w := newWorld(t)
	w.settings["tenants"] += "  stop_timeout: 2s\n"
	w.up()
	w.create("acme")
	w.must("snapshot", "create", "acme", "before")
	w.says("acme", "tenant=acme says now")
	w.wantPage("acme.localhost", "says now")
	mac := w.mac("acme")

	w.must("cluster", "add", "west", "--token", s.token(), "--project", w.project, "--network", "br0")
	if got := w.must("member", "list"); !strings.Contains(got, "west:none") {
		t.Errorf("members:\n%s", got)
	}
	stop := w.visitors(4)
	out := w.must("move", "acme", "--to", "west:")
	if !strings.Contains(out, "lives on west:none") {
		t.Errorf("it says %q", out)
	}
	job, _ := w.lastJob("tenant.move", "tenant/acme")
	t.Log(w.must("job", "show", job.Id))
	if got, home := s.instances(w.project), w.instances(); !slices.Equal(got, []string{"acme"}) || len(home) > 0 {
		t.Errorf("instances there %v, here %v", got, home)
	}
	if got := strings.TrimSpace(s.run("lxc", "--project", w.project, "config", "get", "acme", "volatile.eth0.hwaddr")); got != mac {
		t.Errorf("MAC address %q, was %q", got, mac)
	}
	if now := w.tenant("acme"); now.Location != "west:none" || now.Member != "west:none" || string(now.Status) != "running" {
		t.Errorf("acme: %+v", now)
	}
	w.must("snapshot", "create", "acme", "there")
	if got := w.snapshotNames("acme"); len(got) != 2 {
		t.Errorf("snapshots %v", got)
	}
	w.must("snapshot", "restore", "acme", "before")
	w.wantPage("acme.localhost", "tenant=acme")
	for _, name := range w.snapshotNames("acme") { // that which was taken before the restore, too
		if name != "before" {
			w.must("snapshot", "delete", "acme", name)
		}
	}
	if _, errs, code := w.cli("cluster", "remove", "west"); code == 0 || !strings.Contains(errs, "has the instance acme") {
		t.Errorf("the cluster is removed: %d, %s", code, errs)
	}
	w.must("move", "acme", "--to", "n2")
	stop()
	w.says("acme", "tenant=acme says now")
	w.wantMoved("n2", mac)
	if got := s.instances(w.project); len(got) > 0 {
		t.Errorf("instances there %v", got)
	}
	t.Run("killed", func(t *testing.T) { w.killedBetweenClusters(t, s) })
	t.Run("away", func(t *testing.T) { w.clusterAway(t, s) })
	w.place("initech", "--member", "west:") // its image is sent
	w.wantPage("initech.example.test", "tenant=initech")
	if got := s.instances(w.project); !slices.Equal(got, []string{"initech"}) {
		t.Errorf("instances there %v", got)
	}
	w.must("tenant", "delete", "initech", "--now")
	w.must("cluster", "remove", "west")
	if got := w.must("member", "list"); strings.Contains(got, "west") {
		t.Errorf("members:\n%s", got)
	}
}

// killedBetweenClusters kills the daemon after some events of moves to and fro.
func (w *world) killedBetweenClusters(t *testing.T, s *foreign) {
	defer func(whole *testing.T) { w.t = whole }(w.t)
	w.t = t
	for i, n := range []int{2, 12, 14, 18} {
		to := []string{"west:none", "n2"}[i%2]
		w.daemon.stop()
		w.start(fmt.Sprintf("LXDFLEET_FAULT_KILL=tenant.move:%d", n))
		w.wantPage("acme.localhost", "says now")
		w.call(http.MethodPost, "/v1/tenants/acme/move", map[string]any{"to": to}, nil)
		eventually(t, 2*time.Minute, "the daemon is killed", func() bool { return !w.daemon.running() })
		w.start()
		job, _ := w.lastJob("tenant.move", "tenant/acme")
		ended := w.wait(job.Id)
		if ended.Job.State != client.JobStateDone {
			t.Fatalf("event %d: the move ended %s: %s\n%s", n, ended.Job.State, ended.Job.Error, eventLines(ended))
		}
		w.wantPage("acme.localhost", "says now")
		all := append(s.instances(w.project), w.instances()...)
		if now := w.tenant("acme"); now.Location != to || !slices.Equal(all, []string{"acme"}) {
			t.Errorf("event %d: acme is on %s, instances %v", n, now.Location, all)
		}
		if got := w.snapshotNames("acme"); len(got) != 1 || got[0] != "before" {
			t.Errorf("event %d: snapshots %v", n, got)
		}
	}
}

// clusterAway has the other LXD go away while a tenant is there.
func (w *world) clusterAway(t *testing.T, s *foreign) {
	defer func(whole *testing.T) { w.t = whole }(w.t)
	w.t = t
	w.must("move", "acme", "--to", "west:none")
	s.devcluster("kill-member", "n1")
	eventually(t, 30*time.Second, "it is noticed", func() bool { return strings.Contains(w.must("cluster", "list"), "away") })
	began := time.Now()
	w.must("tenant", "create", "globex", "--image", "tiny", "--domain", "globex.localhost")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("a tenant at home took %s", took)
	}
	if now := w.tenant("globex"); strings.Contains(now.Location, ":") {
		t.Errorf("globex is on %s", now.Location)
	}
	w.wantPage("acme.localhost", "says now") // its instance runs on
	if _, errs, code := w.cli("move", "acme", "--to", "n1"); code == 0 {
		t.Errorf("acme is moved from a cluster that is away: %s", errs)
	}
	w.daemon.stop()
	w.start() // knows of it only what the store has
	eventually(t, 30*time.Second, "acme is known", func() bool { return w.tenant("acme").Location == "west:none" })
	s.devcluster("start-member", "n1")
	eventually(t, time.Minute, "it is back", func() bool { return string(w.tenant("acme").Status) == "running" })
	w.wantPage("acme.localhost", "says now")
	w.must("tenant", "delete", "acme", "--now")
	if got := s.instances(w.project); len(got) > 0 {
		t.Errorf("instances there %v", got)
	}
}
