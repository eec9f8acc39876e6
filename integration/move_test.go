//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// TestMove moves a tenant around the real cluster while visitors come: nobody sees an error, and
// the tenant keeps what makes it itself.
func TestMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.create("acme")
	w.must("snapshot", "create", "acme", "before")
	w.says("acme", "tenant=acme says now")
	w.wantPage("acme.localhost", "says now")
	from, mac := w.tenant("acme").Location, w.mac("acme")
	var members []client.Member
	w.decode(&members, "member", "list")

	var estimate client.MoveEstimate
	w.decode(&estimate, "move", "acme", "--dry-run")
	if estimate.From != from || estimate.To == from || estimate.Bytes == 0 {
		t.Errorf("estimate %+v", estimate)
	}
	stop := w.visitors(4)
	for _, to := range others(members, from) {
		out := w.must("move", "acme", "--to", to)
		if !strings.Contains(out, "lives on "+to) {
			t.Errorf("it says %q", out)
		}
		w.wantMoved(to, mac)
	}
	w.must("snapshot", "restore", "acme", "before") // on the member it is on now
	w.wantPage("acme.localhost", "tenant=acme")
	// Its golden image is gone from LXD, which a move does not need.
	for _, fingerprint := range strings.Fields(w.lxc("image", "list", "-f", "csv", "-c", "F")) {
		w.lxc("image", "delete", fingerprint)
	}
	w.must("move", "acme", "--limit", "64MiB")
	stop()
	job, _ := w.lastJob("tenant.move", "tenant/acme")
	t.Log(w.must("job", "show", job.Id))
	for _, refused := range [][]string{
		{"move", "acme", "--to", w.tenant("acme").Location},
		{"move", "acme", "--to", "nowhere"},
		{"move", "nobody"},
		{"move", "acme", "--max-hold", "1h"},
	} {
		if out, errs, code := w.cli(refused...); code == 0 || !strings.Contains(errs, "\n") {
			t.Errorf("%v: exit %d, %s%s", refused, code, out, errs)
		}
	}
}

// TestDrain empties a member while visitors come, and fills it again.
func TestDrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	var members []client.Member
	w.decode(&members, "member", "list")
	n1 := members[0].Name
	names := []string{"acme", "globex", "initech", "umbrella"}
	for _, name := range names {
		w.place(name, "--member", n1, "--domain", name+".localhost")
	}
	w.must("tenant", "stop", "umbrella")
	w.wantPage("acme.localhost", "tenant=acme")
	stop := w.visitors(2)
	job := w.submit(http.MethodPost, "/v1/members/"+n1+"/drain", map[string]any{"at_once": 2})
	w.done(job)
	for _, name := range names {
		if got := w.tenant(name).Location; got == n1 {
			t.Errorf("%s is on %s", name, got)
		}
	}
	if got := w.tenant("umbrella").Status; got != "stopped" {
		t.Errorf("umbrella is %s", got)
	}
	var now client.Member
	w.decode(&now, "member", "show", n1)
	if !now.Cordoned || now.Tenants != 0 {
		t.Errorf("%+v", now)
	}
	if _, errs, code := w.cli("move", "acme", "--to", n1); code == 0 || !strings.Contains(errs, "cordoned: drained") {
		t.Errorf("to the drained member: exit %d: %s", code, errs)
	}
	w.must("member", "restore", n1, "--at-once", "3")
	stop()
	for _, name := range names {
		if got := w.tenant(name).Location; got != n1 {
			t.Errorf("%s is on %s", name, got)
		}
	}
	if got := w.instances(); len(got) != len(names) {
		t.Errorf("instances %v", got)
	}
}

// visitors fetch acme's page all the time until told to stop, by the function given.
func (w *world) visitors(n int) (stop func()) {
	var over atomic.Bool
	var requests, connections atomic.Int64
	var all sync.WaitGroup
	for range n {
		all.Go(func() { w.visit(&over, &requests, &connections) })
	}
	return func() {
		over.Store(true)
		all.Wait()
		w.t.Logf("%d requests over %d connections", requests.Load(), connections.Load())
		if requests.Load() < 100 {
			w.t.Errorf("only %d requests", requests.Load())
		}
	}
}

func others(members []client.Member, from string) (names []string) {
	for _, m := range members {
		if m.Name != from {
			names = append(names, m.Name)
		}
	}
	return names
}

func (w *world) mac(instance string) string {
	w.t.Helper()
	return strings.TrimSpace(w.lxc("config", "get", instance, "volatile.eth0.hwaddr"))
}

// wantMoved fails the test unless acme is whole on the member, and nothing of it elsewhere.
func (w *world) wantMoved(to, mac string) {
	w.t.Helper()
	now := w.tenant("acme")
	if now.Location != to || now.Member != to || string(now.Status) != "running" || now.MovedAt.IsZero() || time.Since(now.MovedAt) > 10*time.Minute {
		w.t.Errorf("acme: %+v", now)
	}
	if got := w.mac("acme"); got != mac || mac == "" {
		w.t.Errorf("MAC address %q, was %q", got, mac)
	}
	if got := w.instances(); !slices.Equal(got, []string{"acme"}) {
		w.t.Errorf("instances %v", got)
	}
	if got := w.snapshotNames("acme"); len(got) != 1 || got[0] != "before" {
		w.t.Errorf("snapshots %v", got)
	}
	config := w.lxc("config", "show", "acme")
	for _, left := range []string{"lxdfleet.move-of", "lxdfleet.moved-by", "boot.autostart"} {
		if strings.Contains(config, left) {
			w.t.Errorf("%s is left:\n%s", left, config)
		}
	}
	w.wantPage("acme.localhost", fmt.Sprintf("tenant=acme says %s", "now"))
	if got := strings.TrimSpace(w.inside(w.t, "acme", "", "hostname")); got != "acme" {
		w.t.Errorf("its hostname is %q", got)
	}
}
