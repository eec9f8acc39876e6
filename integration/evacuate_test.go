//go:build integration

package integration

import (
	"testing"
	"time"
)

// TestEvacuate: an operator evacuates a member with LXD's own command, and restores it. lxdfleet
// follows: a tenant that LXD moves is served from where it is then. LXD moves those alone that are
// told to; others on a pool of the member's own it stops, and starts again when the member is
// restored. It runs alone: all instances of the member go.
func TestEvacuate(t *testing.T) {
	w := newWorld(t)
	w.up()
	w.place("acme", "--member", "n3", "--domain", "acme.localhost")
	w.place("globex", "--member", "n3", "--domain", "globex.localhost")
	w.wantPage("acme.localhost", "tenant=acme")
	w.wantPage("globex.localhost", "tenant=globex")
	w.lxc("config", "set", "acme", "cluster.evacuate=migrate")
	w.lxc("cluster", "evacuate", "n3", "--force")
	restored := false
	t.Cleanup(func() {
		if !restored {
			_, _ = lxc("cluster", "restore", "n3", "--force") // for the tests that follow
		}
	})
	eventually(t, time.Minute, "acme serves from elsewhere", func() bool {
		now := w.tenant("acme")
		return now.Location != "n3" && now.Member == now.Location && string(now.Status) == "running"
	})
	w.wantPage("acme.localhost", "tenant=acme")
	eventuallyStatus(w, "globex", "stopped-by-operator")
	if out, errs, code := w.cli("tenant", "create", "initech", "--image", "tiny", "--member", "n3"); code == 0 {
		t.Errorf("a tenant was placed on a member that is evacuated: %s%s", out, errs)
	}
	w.lxc("cluster", "restore", "n3", "--force")
	restored = true
	for _, name := range []string{"acme", "globex"} {
		eventually(t, time.Minute, name+" serves from n3 again", func() bool {
			now := w.tenant(name)
			return now.Location == "n3" && now.Member == "n3" && string(now.Status) == "running"
		})
		w.wantPage(name+".localhost", "tenant="+name)
	}
}
