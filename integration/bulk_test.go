//go:build integration

package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// TestBulk does the same to several tenants of the real cluster by one job each time, and looks at
// what came of each.
func TestBulk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	var members []client.Member
	w.decode(&members, "member", "list")
	n1 := members[0].Name
	names := []string{"acme", "globex", "initech"}
	for _, name := range names {
		w.place(name, "--member", n1, "--domain", name+".localhost", "--label", "ring=early")
	}
	if out, errs, code := w.cli("tenant", "resize", "--selector", "ring=early", "huge"); code == 0 || !strings.Contains(errs, "there is no plan") {
		t.Errorf("to no plan: exit %d, %s%s", code, out, errs)
	}
	w.must("tenant", "resize", "acme", "medium")
	w.must("tenant", "resize", "--selector", "ring=early", "--at-once", "2", "medium")
	for _, name := range names {
		if got := w.tenant(name).Plan; got != "medium" {
			t.Errorf("%s has the plan %s", name, got)
		}
	}
	if got := w.outcomes("tenant.bulk"); got != "globex done, initech done" { // acme had it
		t.Error(got)
	}

	if out, errs, code := w.cli("move", "--all", "--to", "nowhere"); code == 0 || !strings.Contains(errs, "members: ") {
		t.Errorf("to no member: exit %d, %s%s", code, out, errs)
	}
	// One window is open, one begins in some hours, and one tenant has none.
	now := time.Now().UTC()
	clock := func(in time.Duration) string { return now.Add(in).Format("15:04") }
	w.must("tenant", "set", "acme", "window="+clock(-time.Hour)+"-"+clock(time.Hour), "time-zone=UTC")
	w.must("tenant", "set", "globex", "window="+clock(6*time.Hour)+"-"+clock(7*time.Hour), "time-zone=UTC")
	to := others(members, n1)[0]
	if out, errs, code := w.cli("move", "--all", "--to", to, "--at", "window", "--limit", "100MiB", "--max-hold", "15s"); code == 0 || !strings.Contains(errs, "tenant initech has no window") {
		t.Errorf("in windows: exit %d, %s%s", code, out, errs)
	}
	if got := w.outcomes("tenant.bulk"); got != "acme done, globex planned, initech failed" {
		t.Error(got)
	}
	if acme, globex := w.tenant("acme").Location, w.tenant("globex").Location; acme != to || globex != n1 {
		t.Errorf("acme is on %s, globex on %s", acme, globex)
	}
	planned, _ := w.lastJob("tenant.move-later", "planned/globex")
	w.must("job", "cancel", planned.Id)

	w.must("move", "globex", "initech", "--at-once", "2", "--to", to, "--at", now.Add(3*time.Second).Format(time.RFC3339))
	later, _ := w.lastJob("tenant.bulk", "")
	w.done(later)
	t.Log(w.must("job", "show", later.Id))
	for _, name := range names {
		if got := w.tenant(name).Location; got != to {
			t.Errorf("%s is on %s", name, got)
		}
		w.wantPage(name+".localhost", "tenant="+name)
	}
}

// outcomes says what came of each tenant of the newest job of a kind.
func (w *world) outcomes(kind string) string {
	w.t.Helper()
	job, _ := w.lastJob(kind, "")
	var words []string
	for _, o := range w.wait(job.Id).Job.Outcomes {
		words = append(words, o.Tenant+" "+string(o.State))
	}
	return strings.Join(words, ", ")
}
