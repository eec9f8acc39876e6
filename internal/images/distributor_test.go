package images

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

// distributing runs the test with a Distributor that runs.
func distributing(t *testing.T, test func(t *testing.T, w *world, d *Distributor)) {
	t.Helper()
	bubble(t, func(t *testing.T, w *world) {
		d := NewDistributor(w.deps, w.engine)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		t.Cleanup(func() { cancel(); <-ended })
		go func() { d.Run(ctx); close(ended) }()
		test(t, w, d)
	})
}

// forget makes an image one that is unpacked on no member.
func (w *world) forget(t *testing.T, g fleet.GoldenImage) {
	t.Helper()
	for _, m := range g.Members {
		do(t, w.store.SetUnpacked(t.Context(), g.Fingerprint, m, false))
	}
}

func (w *world) members(t *testing.T, g fleet.GoldenImage) int {
	t.Helper()
	g, err := w.store.GoldenImage(t.Context(), g.Ref())
	do(t, err)
	return len(g.Members)
}

func TestDistributorSpreadsWhatMayBeCloned(t *testing.T) {
	distributing(t, func(t *testing.T, w *world, d *Distributor) {
		unused, used, current := w.has(t, "0", false), w.has(t, "1", false), w.has(t, "2", true)
		w.uses(t, "acme", used.Ref())
		for _, g := range []fleet.GoldenImage{unused, used, current} {
			w.forget(t, g)
		}
		d.Nudge()
		time.Sleep(time.Second)
		for version, want := range map[fleet.ImageRef]int{unused.Ref(): 0, used.Ref(): 3, current.Ref(): 3} {
			g, err := w.store.GoldenImage(t.Context(), version)
			if do(t, err); len(g.Members) != want {
				t.Errorf("%s is unpacked on %v, want %d members", version, g.Members, want)
			}
		}
	})
}

func TestDistributorMemberComesBack(t *testing.T) {
	distributing(t, func(t *testing.T, w *world, _ *Distributor) {
		w.lxd.SetOnline("n3", false)
		job, err := w.buildShop(t)
		w.ends(t, job, err, fleet.JobDone)
		g, err := w.service.Get(t.Context(), fleet.ImageRef{Name: "shop"})
		do(t, err)
		time.Sleep(time.Hour)
		if n := w.members(t, g); n != 2 {
			t.Fatalf("unpacked on %d members while one is away, want 2", n)
		}
		w.lxd.SetOnline("n3", true)
		time.Sleep(distributeEvery + time.Second)
		w.wantCurrent(t, "2")
	})
}

func TestDistributorDoesNotSpin(t *testing.T) {
	distributing(t, func(t *testing.T, w *world, d *Distributor) {
		g := w.has(t, "1", true)
		synctest.Wait() // it is at rest: nothing is brought before the pool is full
		mend := w.lxd.Inject(lxdfake.Fault{Method: "EnsureUnpacked", Err: fleet.Errorf(fleet.Exhausted, "pool full")})
		calls := w.lxd.Calls("EnsureUnpacked")
		w.forget(t, g)
		d.Nudge()
		for range 100 {
			time.Sleep(time.Second)
			d.Nudge()
		}
		synctest.Wait()
		// Three members, tried at once and a minute later; nudges in between change nothing.
		if n := w.lxd.Calls("EnsureUnpacked") - calls; n != 6 {
			t.Errorf("%d attempts in 100 s, want 6", n)
		}
		time.Sleep(4 * time.Hour)
		if n := w.lxd.Calls("EnsureUnpacked") - calls; n < 3*7 || n > 3*11 {
			t.Errorf("%d attempts in four hours, want twice the pause each time until it is an hour", n)
		}
		mend()
		time.Sleep(2 * time.Hour)
		w.wantCurrent(t, "1")
	})
}

func TestDistributorOutlivesAnOutage(t *testing.T) {
	distributing(t, func(t *testing.T, w *world, d *Distributor) {
		w.forget(t, w.has(t, "1", true))
		calls := w.lxd.Calls("Members")
		w.lxd.SetDown(true)
		d.Nudge()
		time.Sleep(time.Hour)
		if n := w.lxd.Calls("Members") - calls; n > 15 {
			t.Errorf("%d looks in an hour of outage", n)
		}
		w.lxd.SetDown(false)
		time.Sleep(distributeEvery + time.Second)
		w.wantCurrent(t, "1")
	})
}

func TestDistributorLeavesImagesThatJobsWorkOn(t *testing.T) {
	synctestWorld(t, func(t *testing.T, w *world) {
		w.start()
		g := w.has(t, "1", true)
		w.forget(t, g)
		d := NewDistributor(w.deps, busy{w.engine})
		next, err := d.Once(t.Context())
		if do(t, err); next != retryFirst || w.members(t, g) != 0 {
			t.Errorf("next look in %s, unpacked on %d members", next, w.members(t, g))
		}
	})
}

// busy has an unfinished job on every subject.
type busy struct{ Jobs }

func (busy) List(_ context.Context, f jobs.JobFilter) ([]fleet.Job, error) {
	return []fleet.Job{{Subject: f.Subject}}, nil
}

func TestDistributorForgetsMembersThatLeft(t *testing.T) {
	distributing(t, func(t *testing.T, w *world, d *Distributor) {
		g := w.has(t, "1", true)
		do(t, w.store.SetUnpacked(t.Context(), g.Fingerprint, "n9", true))
		d.Nudge()
		time.Sleep(time.Second)
		w.wantCurrent(t, "1")
	})
}
