//go:build integration

package integration

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// within is how soon what an operator does with lxc must show.
const within = time.Second

// TestFollowLXC does by hand what operators do, and expects lxdfleet to follow in a second.
func TestFollowLXC(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.create("acme")
	status := func(name, want string) {
		t.Helper()
		eventually(t, within, name+" is "+want, func() bool { return string(w.tenant(name).Status) == want })
	}
	route := func(domain, want string) {
		t.Helper()
		eventually(t, within, "the route of "+domain+" is "+want, func() bool { return w.route(domain).State == client.RouteState(want) })
	}

	w.lxc("stop", "acme")
	status("acme", "stopped-by-operator")
	route("acme.localhost", "stopped")

	w.lxc("start", "acme")
	status("acme", "running")
	route("acme.localhost", "serve")
	w.wantPage("acme.localhost", "tenant=acme")

	w.lxc("restart", "acme")
	status("acme", "running")
	w.wantPage("acme.localhost", "tenant=acme")

	w.lxc("stop", "acme")
	w.lxc("rename", "acme", "apex")
	eventually(t, within, "the tenant has its new name", func() bool {
		return w.tenant("apex").Status == "stopped-by-operator" && w.tenant("acme").Name == ""
	})
	w.lxc("start", "apex")
	status("apex", "running")
	if got := w.route("acme.localhost"); got.Tenant != "apex" {
		t.Errorf("acme.localhost leads to %q", got.Tenant)
	}

	w.lxc("delete", "--force", "apex")
	status("apex", "missing")
	route("acme.localhost", "stopped")
	if code, _ := w.page("acme.localhost"); code != http.StatusServiceUnavailable {
		t.Errorf("page of a missing tenant: %d", code)
	}
	w.must("tenant", "delete", "apex", "--now")
	if got := w.tenant("apex"); got.Name != "" {
		t.Errorf("the tenant is still there: %+v", got)
	}
}

func (w *world) route(domain string) client.Route {
	w.t.Helper()
	var list client.RouteList
	w.call(http.MethodGet, "/v1/routes", nil, &list)
	i := slices.IndexFunc(list.Items, func(r client.Route) bool { return r.Domain == domain })
	if i < 0 {
		return client.Route{}
	}
	return list.Items[i]
}

// TestFollowAddress gives a running instance another address.
func TestFollowAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.create("acme")
	old := w.tenant("acme").Address
	// DHCP gives out .20 and above.
	changed := old[:strings.LastIndex(old, ".")] + ".10"
	w.lxc("exec", "acme", "--", "sh", "-c", "ip addr flush dev eth0 && ip addr add "+changed+"/24 dev eth0")
	start := time.Now()
	eventually(t, within, "the route has the new address", func() bool { return w.route("acme.localhost").Backend == changed+":80" })
	t.Logf("followed in %s", time.Since(start))
	w.wantPage("acme.localhost", "tenant=acme")
	if got := w.tenant("acme").Address; got != changed {
		t.Errorf("tenant show has %s", got)
	}
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.lxc("launch", "tiny", "legacy")
	eventually(t, within, "it shows as adoptable", func() bool {
		var list client.AdoptableList
		w.call(http.MethodGet, "/v1/adoptable", nil, &list)
		return len(list.Items) == 1 && list.Items[0].Name == "legacy"
	})
	w.must("tenant", "adopt", "legacy", "--domain", "legacy.localhost", "--plan", "medium")
	w.wantPage("legacy.localhost", "golden")
	if got := w.lxc("config", "get", "legacy", "user.lxdfleet.plan"); strings.TrimSpace(got) != "medium" {
		t.Errorf("user.lxdfleet.plan is %q", got)
	}
	w.must("tenant", "restart", "legacy")
	w.wantPage("legacy.localhost", "golden")
}

// TestRecover throws the store away and rebuilds it from LXD.
func TestRecover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.must("tenant", "create", "acme", "--image", "tiny", "--domain", "acme.localhost", "--domain", "www.acme.test", "--plan", "medium", "--label", "tier=gold", "--display-name", "Acme Corp.")
	w.create("globex")
	w.must("tenant", "stop", "globex")
	before := w.tenant("acme")

	w.daemon.stop()
	w.dropStore()
	w.start()
	if got := w.tenant("acme"); got.Name != "" {
		t.Fatalf("the store is not empty: %+v", got)
	}
	w.must("recover")
	after := w.tenant("acme")
	if after.Id != before.Id || after.Plan != "medium" || !slices.Equal(after.Domains, before.Domains) ||
		after.Labels["tier"] != "gold" || after.DisplayName != "Acme Corp." || after.Image != before.Image {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	eventuallyPage(w, "www.acme.test", "tenant=acme")
	eventuallyStatus(w, "globex", "stopped") // once the daemon has looked at it
	w.must("recover")                        // again: nothing happens
	w.create("initech")
}
