//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// TestPlacement places tenants on the members of a real cluster: as cordons, labels and wishes
// say, evenly where many come at the same time, and told beforehand.
func TestPlacement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	var members []client.Member
	w.decode(&members, "member", "list")
	if len(members) < 3 {
		t.Fatalf("the cluster has %d members", len(members))
	}
	for _, m := range members {
		if m.Status != "Online" || !slices.Contains(m.Groups, "default") || m.FailureDomain == "" || m.Cordoned || m.Tenants != 0 || m.PoolTotal == 0 {
			t.Errorf("%+v", m)
		}
	}
	n1, n2, n3 := members[0].Name, members[1].Name, members[2].Name

	w.must("member", "cordon", n1, "--reason", "new disk")
	w.must("member", "label", n2, "disk=nvme")
	var x client.Explanation
	w.decode(&x, "placement", "explain", "--require", "disk=nvme")
	if x.Member != n2 || filterOf(x, n1) != "cordon" || filterOf(x, n3) != "labels" {
		t.Errorf("explained: %+v", x)
	}
	w.place("acme", "--require", "disk=nvme", "--pin")
	if got := w.tenant("acme"); got.Location != n2 || got.Wishes == nil || !got.Wishes.Pinned {
		t.Errorf("acme is on %s and wishes %+v", got.Location, got.Wishes)
	}
	w.place("globex", "--apart", "acme") // not with acme, and not on the cordoned one
	if got := w.tenant("globex").Location; got != n3 {
		t.Errorf("globex is on %s", got)
	}
	if out, errs, code := w.cli("tenant", "create", "initech", "--image", "tiny", "--member", n1); code == 0 || !strings.Contains(errs, "is cordoned: new disk") {
		t.Errorf("on a cordoned member: exit %d, %s%s", code, out, errs)
	}

	w.daemon.stop()
	w.start()
	if out := w.must("member", "show", n1); !strings.Contains(out, "yes: new disk") {
		t.Errorf("after a restart:\n%s", out)
	}
	w.must("member", "uncordon", n1)
	w.crowdSpreads(members)
	w.plansTell(n2)
}

// crowdSpreads creates tenants at the same time: with the two that are there, no member has more
// than four of eight.
func (w *world) crowdSpreads(members []client.Member) {
	w.t.Helper()
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() { w.place(fmt.Sprintf("crowd%d", i)) })
	}
	all.Wait()
	on := map[string]int{}
	for line := range strings.Lines(w.lxc("list", "-f", "csv", "-c", "nL")) {
		if name, location, _ := strings.Cut(strings.TrimSpace(line), ","); !strings.HasPrefix(name, "lxdfleet-") {
			on[location]++
		}
	}
	for _, m := range members[:3] {
		if on[m.Name] < 1 || on[m.Name] > 4 {
			w.t.Errorf("tenants are spread as %v", on)
		}
	}
	var now []client.Member
	w.decode(&now, "member", "list")
	for _, m := range now {
		if m.Tenants != on[m.Name] || m.Reserved.Memory != int64(m.Tenants)<<30 {
			w.t.Errorf("%s is told to have %d tenants, %d bytes of memory promised; it has %d", m.Name, m.Tenants, m.Reserved.Memory, on[m.Name])
		}
	}
}

// plansTell asks for plans: acme is pinned to its member, the others there are not.
func (w *world) plansTell(acmes string) {
	w.t.Helper()
	var drain client.MovePlan
	w.decode(&drain, "member", "drain", acmes, "--plan")
	if len(drain.Left) != 1 || drain.Left[0].Tenant != "acme" || drain.Left[0].Why != "is pinned to "+acmes {
		w.t.Errorf("left by a drain: %+v", drain.Left)
	}
	for _, m := range drain.Moves {
		if hold, err := time.ParseDuration(m.Hold); m.From != acmes || m.To == acmes || err != nil || hold <= 0 {
			w.t.Errorf("%+v, %v", m, err)
		}
	}
	var nothing, consolidated client.MovePlan
	w.decode(&nothing, "rebalance", "--plan")
	if slices.ContainsFunc(nothing.Moves, func(m client.PlannedMove) bool { return m.Tenant == "acme" }) {
		w.t.Errorf("a rebalance moves who is pinned: %+v", nothing.Moves)
	}
	w.decode(&consolidated, "rebalance", "--plan", "--consolidate")
	if len(consolidated.Emptied) == 0 || slices.Contains(consolidated.Emptied, acmes) || len(consolidated.Moves) == 0 {
		w.t.Errorf("consolidated: %+v", consolidated)
	}
}

func filterOf(x client.Explanation, member string) string {
	for _, v := range x.Verdicts {
		if v.Member == member {
			return v.Filter
		}
	}
	return ""
}

// place makes a tenant of the tiny image.
func (w *world) place(name string, flags ...string) {
	w.t.Helper()
	if out, errs, code := w.cli(append([]string{"tenant", "create", name, "--image", "tiny"}, flags...)...); code != 0 {
		w.t.Errorf("create %s: exit %d\n%s%s", name, code, out, errs)
	}
}

// decode reads what the command prints as JSON.
func (w *world) decode(into any, args ...string) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.must(append(args, "-o", "json")...)), into); err != nil {
		w.t.Fatalf("lxdfleet %s: %v", strings.Join(args, " "), err)
	}
}
