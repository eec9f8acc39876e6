//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// TestMoveOnBadDays breaks something when a step of a move begins, and mends it a little later.
// However the move ends, the tenant serves from one place, whole. It runs alone.
func TestMoveOnBadDays(t *testing.T) {
	w := newWorld(t)
	w.settings["tenants"] = "  stop_timeout: 2s\n"
	w.up()
	w.create("acme")
	w.must("snapshot", "create", "acme", "before")
	w.says("acme", "tenant=acme says now")
	link := func(member, state string) string {
		return fmt.Sprintf("ip link set %s%s %s", os.Getenv("DEVCLUSTER_PREFIX"), member, state)
	}
	for _, day := range []struct {
		step, breaks, mends string // shell; FROM and TO are the members
	}{
		{"copy", "devcluster kill-member TO", "devcluster start-member TO"},
		{"catch up", "devcluster kill-member FROM", "devcluster start-member FROM"},
		{"last pass", "devcluster kill-member TO", "devcluster start-member TO"},
		{"swap", "devcluster kill-member TO", "devcluster start-member TO"},
		{"start", "devcluster kill-member FROM", "devcluster start-member FROM"},
		{"await", "devcluster kill-member TO", "devcluster start-member TO"},
		{"clean", "devcluster kill-member FROM", "devcluster start-member FROM"},
		{"copy", link("TO", "down"), link("TO", "up")},
	} {
		if !t.Run(day.step+", "+day.breaks, func(t *testing.T) { w.badDay(t, day.step, day.breaks, day.mends) }) {
			return // the next would begin from what this one left
		}
	}
}

func (w *world) badDay(t *testing.T, step, breaks, mends string) {
	defer func(whole *testing.T) { w.t = whole }(w.t)
	w.t = t
	from := w.tenant("acme").Location
	to := map[string]string{"n1": "n2", "n2": "n3", "n3": "n2"}[from] // n1 is the one that the daemon talks to
	if strings.Contains(breaks, "FROM") && from == "n1" {
		w.must("move", "acme", "--to", "n3")
		from, to = "n3", "n2"
	}
	named := strings.NewReplacer("FROM", from, "TO", to, "devcluster ", "../scripts/devcluster ")
	program := filepath.Join(w.dir, "break")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\ncd %s\n%s\ntouch %s.ran\n", here, named.Replace(breaks), program)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(program + ".ran")
	w.daemon.stop()
	w.start("LXDFLEET_FAULT_RUN=tenant.move:" + step + ":" + program)
	w.wantPage("acme.localhost", "says now")
	job := w.submit(http.MethodPost, "/v1/tenants/acme/move", map[string]any{"to": to})
	eventually(t, 2*time.Minute, "it breaks", func() bool { _, err := os.Stat(program + ".ran"); return err == nil })
	time.Sleep(3 * time.Second)
	if out, err := exec.Command("sh", "-c", named.Replace(mends)).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", mends, err, out)
	}
	began := time.Now()
	ended := w.wait(job.Id)
	t.Logf("mended, the move was %s after %s: %s", ended.Job.State, time.Since(began).Round(time.Millisecond), ended.Job.Error)
	want := from
	if ended.Job.State == client.JobStateDone {
		want = to
	}
	serves := func() bool {
		now := w.tenant("acme")
		status, body := w.page("acme.localhost")
		return now.Location == want && now.Member == want && string(now.Status) == "running" &&
			status == http.StatusOK && strings.Contains(body, "says now")
	}
	eventually(t, time.Minute, "acme serves from "+want, serves)
	eventually(t, 3*time.Minute, "nothing is left behind", func() bool { return len(w.instances()) == 1 })
	if got := w.snapshotNames("acme"); len(got) != 1 || got[0] != "before" {
		t.Errorf("snapshots %v", got)
	}
	if ended.Job.State != client.JobStateDone && ended.Job.State != client.JobStateUndone {
		t.Errorf("the move is %s: %s\n%s", ended.Job.State, ended.Job.Error, eventLines(ended))
	}
}
