//go:build integration

package integration

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/app"
)

// killCase says how to bring about one kind of job, over and over.
type killCase struct {
	// prepare makes what the job works on.
	prepare func(w *world, name string)
	// submit asks for the job; the daemon may die before it answers.
	submit func(w *world, name string)
	// subject of the job
	subject func(name string) string
	// check fails the test where the world is not as it is after the job.
	check func(w *world, name string)
	// clean removes what is left, so that the next round finds a small world.
	clean func(w *world, name string)
}

// TestKill kills the daemon (SIGKILL) after each event that each kind of job writes, starts
// it again and expects the job to end as if nothing had happened.
func TestKill(t *testing.T) {
	cases := killCases()
	maps.Copy(cases, backupKillCases())
	maps.Copy(cases, moveKillCases())
	var kinds []string
	for _, kind := range app.Kinds() {
		kinds = append(kinds, kind.Name)
		if _, ok := cases[kind.Name]; !ok {
			t.Errorf("no case for jobs of kind %s", kind.Name)
		}
	}
	for kind, c := range cases {
		if !slices.Contains(kinds, kind) {
			t.Errorf("case for %s, which is no kind", kind)
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.settings["tenants"] = "  stop_timeout: 1s\n"
			w.up()
			rounds := 0
			for n := 1; w.killAfter(kind, c, n); n += stride(kind) {
				rounds++
			}
			if events := rounds * stride(kind); events < 3 {
				t.Errorf("the job wrote only about %d events", events)
			}
			t.Logf("killed %d times, after one event of %d", rounds, stride(kind))
		})
	}
}

// stride is 1: the daemon is killed after every event. LXDFLEET_KILL_STRIDE has only every so many
// tried, and a third of those for jobs on images, which write thirty events and take fifteen
// seconds each.
func stride(kind string) int {
	n, err := strconv.Atoi(os.Getenv("LXDFLEET_KILL_STRIDE"))
	switch {
	case err != nil || n <= 1:
		return 1
	case strings.HasPrefix(kind, "image."):
		return 3 * n
	}
	return n
}

// killAfter runs one job and kills the daemon after its n-th event. It reports false when the
// job wrote fewer events.
func (w *world) killAfter(kind string, c killCase, n int) bool {
	w.t.Helper()
	name := fmt.Sprintf("k%d", n)
	c.prepare(w, name)
	w.daemon.stop()
	w.start(fmt.Sprintf("LXDFLEET_FAULT_KILL=%s:%d", kind, n))
	job := w.submitUntilThere(kind, c, name)
	eventually(w.t, 2*time.Minute, "the daemon is killed or the job ends", func() bool {
		if !w.daemon.running() {
			return true
		}
		job, _ = w.lastJob(kind, c.subject(name))
		return job.Finished
	})
	killed := !w.daemon.running()
	if killed {
		w.start()
		found, ok := w.lastJob(kind, c.subject(name))
		if !ok {
			w.t.Fatalf("event %d: the job is lost", n)
		}
		job = found
	}
	detail := w.wait(job.Id)
	if detail.Job.State != client.JobStateDone {
		w.t.Fatalf("event %d: the job ended %s: %s\n%s", n, detail.Job.State, detail.Job.Error, eventLines(detail))
	}
	c.check(w, name)
	c.clean(w, name)
	return killed
}

// submitUntilThere asks for the job until it is there or the daemon was killed: a daemon that has
// just started may not have seen all of LXD yet, and one that is killed answers nobody.
func (w *world) submitUntilThere(kind string, c killCase, name string) client.Job {
	w.t.Helper()
	var job client.Job
	eventually(w.t, 2*time.Minute, "the job is there or the daemon is killed", func() bool {
		c.submit(w, name)
		if !w.daemon.running() {
			return true
		}
		found, ok := w.lastJob(kind, c.subject(name))
		job = found
		return ok
	})
	return job
}

// lastJob finds the newest job of a kind on a subject.
func (w *world) lastJob(kind, subject string) (client.Job, bool) {
	var list client.JobList
	w.call(http.MethodGet, "/v1/jobs?kind="+kind+"&subject="+subject, nil, &list)
	if len(list.Items) == 0 {
		return client.Job{}, false
	}
	return list.Items[0], true
}
