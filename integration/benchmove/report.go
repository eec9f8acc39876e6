package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/bench"
)

// size is what was measured of tenants of one size.
type size struct{ lxc, fleet []figure }

type report struct {
	rounds int
	sizes  []size
	drain  drained
}

const (
	mostHold   = 4 * time.Second
	alike      = 1.2    // the longest hold of all sizes to the shortest
	smallPart  = 1. / 3 // of lxc's outage, of the smallest size
	largePart  = 1. / 5 // of the largest
	mostSent   = 1.15   // times the tenant's own data
	drainPart  = 0.8    // of lxc's time
	gigabyte   = 1e9
	fleetSteps = "hold,last pass,swap,start,await,release"
	bareSteps  = "stop,move,start"
)

// of gives one figure of each round.
func of[T any](figures []figure, get func(figure) T) (out []T) {
	for _, f := range figures {
		out = append(out, get(f))
	}
	return out
}

func longest(f figure) time.Duration { return f.longest }
func outage(f figure) time.Duration  { return f.outage }

func (s size) hold() time.Duration { return bench.Median(of(s.fleet, longest)) }
func (s size) away() time.Duration { return bench.Median(of(s.lxc, outage)) }

// gigabytes is how large the tenant was in the first round.
func (s size) gigabytes() string {
	if len(s.fleet) == 0 {
		return "?"
	}
	return fmt.Sprintf("%.1f GB", float64(s.fleet[0].own)/gigabyte)
}

// sent is the median of what was sent for each byte of the tenant's own.
func sent(figures []figure) float64 {
	thousandths := of(figures, func(f figure) time.Duration { return time.Duration(1000 * f.sent / max(f.own, 1)) })
	return float64(bench.Median(thousandths)) / 1000
}

func failed(figures []figure) (failed, requests int) {
	for _, f := range figures {
		failed, requests = failed+f.failed, requests+f.requests
	}
	return failed, requests
}

// judge is a printer that remembers whether a target was missed.
type judge struct {
	w   io.Writer
	met bool
}

func (j *judge) line(what, lxc, fleet, limit string, ok bool, rule string) {
	j.met = j.met && ok
	verdict := "met"
	if !ok {
		verdict = "MISSED"
	}
	fmt.Fprintf(j.w, "%-26s %9s %9s %9s  %-7s %s\n", what, lxc, fleet, limit, verdict, rule)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }

// print writes the table, and reports whether all targets are met.
func (r *report) print(w io.Writer) (met bool) {
	j := &judge{w: w, met: true}
	fmt.Fprintf(w, "%d writers and %d readers, a request each in %s; medians of %d\n\n", writers, readers, every, r.rounds)
	fmt.Fprintf(w, "%-26s %9s %9s %9s  %-7s %s\n", "", "lxc", "lxdfleet", "limit", "", "target")
	for i, s := range r.sizes {
		r.printSize(j, i, s)
	}
	r.printAlike(j)
	r.printDrain(j)
	for _, s := range r.sizes {
		printSteps(w, s)
	}
	if len(r.sizes) > 0 {
		fmt.Fprintln(w, "rows after each move by lxdfleet: none lost, none torn")
	}
	return j.met
}

func (r *report) printSize(j *judge, i int, s size) {
	bad, _ := failed(s.lxc)
	lost, all := failed(s.fleet)
	j.line(s.gigabytes()+": failed", fmt.Sprint(bad), fmt.Sprint(lost), "0", lost == 0, fmt.Sprintf("none, of %d requests", all))
	j.line(s.gigabytes()+": longest request", seconds(s.away()), seconds(s.hold()), seconds(mostHold), s.hold() <= mostHold,
		"lxc: from the last good answer to the next")
	for _, part := range []struct {
		at   int
		part float64
		rule string
	}{{0, smallPart, "a third of lxc's"}, {len(r.sizes) - 1, largePart, "a fifth of lxc's"}} {
		if i == part.at {
			limit := time.Duration(part.part * float64(s.away()))
			j.line("  beside lxc", seconds(s.away()), seconds(s.hold()), seconds(limit), s.hold() <= limit, part.rule)
		}
	}
	j.line(s.gigabytes()+": sent", fmt.Sprintf("%.2f", sent(s.lxc)), fmt.Sprintf("%.2f", sent(s.fleet)), fmt.Sprint(mostSent),
		sent(s.fleet) <= mostSent, "bytes for each of its own, pages included")
}

func (r *report) printAlike(j *judge) {
	if len(r.sizes) < 2 {
		return
	}
	least, most := r.sizes[0].hold(), r.sizes[0].hold()
	for _, s := range r.sizes {
		least, most = min(least, s.hold()), max(most, s.hold())
	}
	ratio := most.Seconds() / max(least.Seconds(), 0.001)
	j.line("holds of all sizes", "", fmt.Sprintf("%.2f", ratio), fmt.Sprint(alike), ratio <= alike, "the longest to the shortest")
}

func (r *report) printDrain(j *judge) {
	if len(r.drain.fleet) == 0 {
		return
	}
	lxc, fleet := bench.Median(r.drain.lxc), bench.Median(r.drain.fleet)
	limit := time.Duration(drainPart * float64(lxc))
	j.line(fmt.Sprintf("drain of %d small", r.drain.tenants), seconds(lxc), seconds(fleet), seconds(limit), fleet <= limit,
		fmt.Sprintf("0.8 × lxc, one by one; here %d at a time", r.drain.atOnce))
}

// printSteps tells where the seconds went, and how far rounds were apart.
func printSteps(w io.Writer, s size) {
	fmt.Fprintf(w, "\n%s, seconds of each step:\n", s.gigabytes())
	for _, side := range []struct {
		label, steps string
		figures      []figure
	}{{"lxc", bareSteps, s.lxc}, {"lxdfleet", fleetSteps, s.fleet}} {
		fmt.Fprintf(w, "  %-9s", side.label)
		for _, step := range strings.Split(side.steps, ",") {
			took := bench.Median(of(side.figures, func(f figure) time.Duration { return f.steps[step] }))
			fmt.Fprintf(w, " %s %.2f ", step, took.Seconds())
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "  longest request: lxdfleet %s; outage: lxc %s; whole move: lxc %s, lxdfleet %s\n",
		bench.Seconds(of(s.fleet, longest)), bench.Seconds(of(s.lxc, outage)),
		bench.Seconds(of(s.lxc, func(f figure) time.Duration { return f.took })),
		bench.Seconds(of(s.fleet, func(f figure) time.Duration { return f.took })))
}
