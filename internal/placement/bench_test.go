package placement

import (
	"math"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// What must be quick is held to its limit here.
const (
	chooseLimit = 20 * time.Millisecond // among 1,000 members and 100,000 tenants
	planLimit   = 5 * time.Second       // for 200 members and 10,000 tenants
)

// quickly runs f as the benchmark, and fails when the quickest of its runs, of at least five, is
// slower than the limit: the others tell what else the machine did.
func quickly(b *testing.B, limit time.Duration, f func()) {
	b.Helper()
	best := time.Duration(math.MaxInt64)
	timed := func() {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	runs := 0
	for b.Loop() {
		timed()
		runs++
	}
	b.StopTimer()
	for ; runs < 5 && best > limit; runs++ {
		timed()
	}
	b.ReportMetric(float64(best.Microseconds())/1000, "ms-best")
	if best > limit {
		b.Errorf("took %s, which is more than %s", best, limit)
	}
}

func BenchmarkChoose(b *testing.B) {
	view := simulated(1000, 100_000)
	for _, bb := range []struct {
		name string
		wish Wish
	}{
		{"any member", Wish{Tenant: "new", Needs: small}},
		{"with wishes", Wish{
			Tenant: "new", Needs: small, Labels: map[string]string{"client": "77", "tier": "gold"},
			Wishes: fleet.Wishes{Require: []string{"disk=nvme"}, Prefer: []string{"failure-domain=rack2"}, Apart: []string{"client=77"}, Together: []string{"client=78"}},
		}},
		{"no member", Wish{Tenant: "new", Needs: small, Wishes: fleet.Wishes{Require: []string{"disk=floppy"}}}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			quickly(b, chooseLimit, func() {
				if _, err := Choose(view, bb.wish); err != nil && bb.name == "any member" {
					b.Fatal(err)
				}
			})
		})
	}
}

func BenchmarkRebalance(b *testing.B) {
	for _, bb := range []struct {
		name string
		view View
	}{{"uneven", simulated(200, 10_000)}, {"all on one member", crowdedView(200, 10_000)}, {"too full everywhere", simulated(20, 10_000)}} {
		b.Run(bb.name, func(b *testing.B) {
			var plan Plan
			quickly(b, planLimit, func() { plan = Rebalance(bb.view, Targets{Promised: 60, Used: 70}) })
			b.ReportMetric(float64(len(plan.Moves)), "moves")
			b.ReportMetric(float64(len(plan.Over)), "members-over")
		})
	}
}

func BenchmarkConsolidate(b *testing.B) {
	view := simulated(200, 10_000)
	var plan Plan
	quickly(b, planLimit, func() { plan = Consolidate(view, DefaultTargets()) })
	b.ReportMetric(float64(len(plan.Moves)), "moves")
	b.ReportMetric(float64(len(plan.Emptied)), "members-emptied")
}

func BenchmarkDrain(b *testing.B) {
	view := crowdedView(200, 10_000)
	var plan Plan
	quickly(b, planLimit, func() { plan, _ = Drain(view, view.Members[0].Name) })
	b.ReportMetric(float64(len(plan.Moves)), "moves")
	b.ReportMetric(float64(len(plan.Left)), "left")
}
