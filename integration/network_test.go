//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNetworkOfEachMember reaches tenants whose own addresses lead nowhere from here: their bridges
// are in the members' network namespaces, all with one subnet, as LXD makes them in a cluster.
func TestNetworkOfEachMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.network = fmt.Sprintf("lfit%d", os.Getpid())
	w.bridges()
	w.up() // the image's check needs a way in, too
	w.place("acme", "--member", "n1")
	w.place("globex", "--member", "n2")
	w.sameAddress("10.77.0.50", "acme", "globex")
	w.bothServe()
	w.doctorSays("instances are reached by network forwards (network.reach: auto): "+w.network+" is a bridge of its own on each member",
		"reach n1: acme is reached", "reach n2: globex is reached")
	if out := w.must("tenant", "show", "acme"); !strings.Contains(out, "Reached by") {
		t.Errorf("tenant show:\n%s", out)
	}
	if got := w.forwards(); !strings.Contains(got, "/acme ") || !strings.Contains(got, "/globex ") {
		t.Errorf("forwards:\n%s", got)
	}
	w.moveByHand("acme", "n3")
	w.bothServe()

	w.setReach("device")
	w.bothServe()
	w.doctorSays("instances are reached by proxy devices (network.reach: device)", "reach n3: acme is reached")
	eventually(t, 2*time.Minute, "the forwards are gone", func() bool { return w.forwards() == "" })
	w.place("initech", "--member", "n2")
	w.wantPage("initech.example.test", "tenant=initech")
	// A copy made by hand has the original's device, and starts all the same.
	w.lxc("copy", "initech", "handmade", "--instance-only", "--stateless")
	eventually(t, time.Minute, "the copy starts", func() bool {
		_, err := lxc("--project", w.project, "start", "handmade")
		return err == nil
	})
	w.lxc("delete", "--force", "handmade")
	w.moveByHand("acme", "n1")
	w.must("tenant", "restart", "globex")
	w.bothServe()

	w.setReach("direct")
	out, _, code := w.cli("doctor")
	if code == 0 || !strings.Contains(out, "reach n1: acme is not reached: its own address does not lead to it") ||
		!strings.Contains(out, "set network.reach: forward, or auto") {
		t.Errorf("doctor: exit %d\n%s", code, out)
	}

	w.setReach("forward")
	w.bothServe()
	w.must("tenant", "delete", "--now", "globex")
	eventually(t, 10*time.Second, "what led to a deleted tenant is gone", func() bool { return !strings.Contains(w.forwards(), "/globex ") })
}

// TestNetworkThatMembersShare reaches tenants at their own addresses, and says so.
func TestNetworkThatMembersShare(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.place("acme", "--member", "n2")
	w.doctorSays("instances are reached at their own addresses (network.reach: auto): br0 is a network of the hosts' own", "reach n2: acme is reached")
	w.attacked("acme", "globex")
	w.setReach("device")
	eventually(t, 20*time.Second, "a device leads to acme", func() bool { return w.tenant("acme").Backend != "" })
	w.wantPage("acme.example.test", "tenant=acme")
	w.doctorSays("instances are reached by proxy devices", "network.reach: direct would do")
}

// attacked has root of one tenant claim another's address, and that of the machine the proxy runs on.
// Neither is asked in the attacker's name, nor once the daemon has started anew.
func (w *world) attacked(attacker, victim string) {
	w.t.Helper()
	w.place(victim, "--member", "n1")
	theirs := w.tenant(victim).Address
	claim := func(address string) { // and does not answer for it: the proxy is to find the other
		w.lxc("exec", attacker, "--", "sh", "-c", "ip link set eth0 arp off; ip addr flush dev eth0; ip addr add "+address+"/24 dev eth0")
	}
	spared := func(address string) {
		w.t.Helper()
		for range 5 { // each asks for the address anew
			if status, body := w.page(attacker + ".example.test"); status == http.StatusOK {
				w.t.Errorf("while %s says that it has %s, its visitors see %q", attacker, address, body)
			}
			if got := w.tenant(attacker).Address; got == address {
				w.t.Errorf("%s is reached at %s", attacker, address)
			}
		}
		w.wantPage(victim+".example.test", "tenant="+victim)
	}
	w.daemon.stop()
	claim(theirs)
	w.settings["proxy"] = "  hold_timeout: 1s\n  retry_timeout: 1s\n"
	w.writeConfig()
	w.start()
	spared(theirs)
	claim(os.Getenv("DEVCLUSTER_GATEWAY"))
	spared(os.Getenv("DEVCLUSTER_GATEWAY"))
	w.lxc("restart", "--force", attacker)
	eventuallyPage(w, attacker+".example.test", "tenant="+attacker)
}

// bridges makes a bridge on each member, which goes when the test ends.
func (w *world) bridges() {
	w.t.Helper()
	run := func(args ...string) {
		w.t.Helper()
		if _, err := lxc(args...); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, member := range strings.Fields(os.Getenv("DEVCLUSTER_MEMBERS")) {
		run("network", "create", w.network, "--target", member)
	}
	run("network", "create", w.network, "ipv4.address=10.77.0.1/24", "ipv4.nat=true", "ipv6.address=none")
	w.t.Cleanup(func() {
		w.remove() // what uses it
		if _, err := lxc("network", "delete", w.network); err != nil {
			w.t.Errorf("clean up the network of %s: %v", w.project, err)
		}
	})
}

// sameAddress gives instances one and the same address, as those of different members may have.
func (w *world) sameAddress(address string, names ...string) {
	w.t.Helper()
	for _, name := range names {
		w.lxc("config", "device", "override", name, "eth0", "ipv4.address="+address)
		w.must("tenant", "restart", name)
		if got := w.lxc("list", "-f", "csv", "-c", "4", name); !strings.Contains(got, address) {
			w.t.Fatalf("the address of %s is %s", name, got)
		}
	}
}

func (w *world) bothServe() {
	w.t.Helper()
	for _, name := range []string{"acme", "globex"} {
		eventuallyPage(w, name+".example.test", "tenant="+name)
	}
}

func (w *world) moveByHand(name, member string) {
	w.t.Helper()
	w.lxc("stop", name)
	w.lxc("move", name, "--target", member)
	eventually(w.t, 5*time.Second, name+" is followed to "+member, func() bool { return w.tenant(name).Member == member })
	// By devices its own has to be put right first, which takes a moment.
	eventually(w.t, 5*time.Second, name+" starts on "+member, func() bool {
		_, err := lxc("--project", w.project, "start", name)
		return err == nil
	})
}

func (w *world) setReach(way string) {
	w.t.Helper()
	w.daemon.stop()
	w.settings["network"] = "  reach: " + way + "\n"
	w.writeConfig()
	w.start()
}

// forwards shows what leads into the test's network, for which instance; empty: nothing.
func (w *world) forwards() string {
	w.t.Helper()
	out, err := lxc("query", "/1.0/networks/"+w.network+"/forwards?recursion=1")
	if err != nil {
		w.t.Fatal(err)
	}
	var found strings.Builder
	for line := range strings.Lines(out) {
		if _, label, ok := strings.Cut(line, `"description": "lxdfleet `); ok {
			found.WriteString(strings.TrimRight(label, "\",\n") + " \n")
		}
	}
	return found.String()
}

// doctorSays waits for it: a daemon that was just started serves by what it knew, and makes the new
// ways one after the other.
func (w *world) doctorSays(texts ...string) {
	w.t.Helper()
	eventually(w.t, 20*time.Second, fmt.Sprintf("doctor says %q", texts), func() bool {
		out, _, _ := w.cli("doctor")
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(out, text) })
	})
}
