package main

import (
	"fmt"
	"io"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/bench"
)

// side is what was measured of one of the two.
type side struct {
	snapshot, stall, held, restore []time.Duration
	failed, requests               int // during restores
	longest                        time.Duration
}

type report struct{ lxc, fleet side }

const (
	snapshotMore = 150 * time.Millisecond // over the bare snapshot
	blockedMore  = 50 * time.Millisecond  // over the bare snapshot's own time
	restoreRatio = 1.3
)

// line is one row of the table.
type line struct {
	what              string
	lxc, fleet, limit time.Duration
	rule              string
}

func (r *report) lines() []line {
	shot, back := bench.Median(r.lxc.snapshot), bench.Median(r.lxc.restore)
	return []line{
		{"snapshot", shot, bench.Median(r.fleet.snapshot), shot + snapshotMore, "lxc + 0.15 s"},
		{"writes blocked", bench.Median(r.lxc.stall), bench.Median(r.fleet.stall), shot + blockedMore, "lxc's snapshot + 0.05 s"},
		{"restore in place", back, bench.Median(r.fleet.restore), time.Duration(restoreRatio * float64(back)), "1.3 × lxc"},
	}
}

// print writes the table, and reports whether all targets are met.
func (r *report) print(w io.Writer) (met bool) {
	met = true
	verdict := func(ok bool) string {
		met = met && ok
		if ok {
			return "met"
		}
		return "MISSED"
	}
	fmt.Fprintf(w, "%d writers, %d reader; medians of %d\n\n", writers, readers, len(r.fleet.snapshot))
	fmt.Fprintf(w, "%-18s %9s %9s %9s  %-7s %s\n", "", "lxc", "lxdfleet", "limit", "", "target")
	for _, l := range r.lines() {
		fmt.Fprintf(w, "%-18s %8.2fs %8.2fs %8.2fs  %-7s %s\n", l.what,
			l.lxc.Seconds(), l.fleet.Seconds(), l.limit.Seconds(), verdict(l.fleet <= l.limit), l.rule)
	}
	fmt.Fprintf(w, "%-18s %9d %9d %9d  %-7s of %d and %d during restores\n", "requests failed",
		r.lxc.failed, r.fleet.failed, 0, verdict(r.fleet.failed == 0), r.lxc.requests, r.fleet.requests)
	fmt.Fprintf(w, "\nwrites blocked: the longest time without a commit; the application itself was held for%s\n", held(r.fleet.held))
	fmt.Fprintf(w, "restore in place: to the first good page; the longest that lxdfleet made a request wait: %.2fs\n", r.fleet.longest.Seconds())
	fmt.Fprintf(w, "snapshot: lxc %s, lxdfleet %s\n", bench.Seconds(r.lxc.snapshot), bench.Seconds(r.fleet.snapshot))
	fmt.Fprintf(w, "writes blocked: lxc %s, lxdfleet %s\n", bench.Seconds(r.lxc.stall), bench.Seconds(r.fleet.stall))
	fmt.Fprintf(w, "restore: lxc %s, lxdfleet %s\n", bench.Seconds(r.lxc.restore), bench.Seconds(r.fleet.restore))
	fmt.Fprintln(w, "rows after each restore by lxdfleet: none lost, none torn, none too new")
	return met
}

func held(d []time.Duration) string {
	if len(d) == 0 {
		return " no time"
	}
	return fmt.Sprintf(" %.2fs", bench.Median(d).Seconds())
}
