package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// median gives the middle of a figure over the turns.
func median[T cmp.Ordered](turns []figures, of func(figures) T) T {
	all := make([]T, len(turns))
	for i, t := range turns {
		all[i] = of(t)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// medians gives the middle of each figure by itself.
func (s *series) medians() figures {
	return figures{
		cpu:  median(s.turns, func(f figures) time.Duration { return f.cpu }),
		rate: median(s.turns, func(f figures) float64 { return f.rate }),
		busy: median(s.turns, func(f figures) float64 { return f.busy }),
		p50:  median(s.turns, func(f figures) time.Duration { return f.p50 }),
		p99:  median(s.turns, func(f figures) time.Duration { return f.p99 }),
		p999: median(s.turns, func(f figures) time.Duration { return f.p999 }),
	}
}

// print writes the table.
func (b *bench) print(out io.Writer) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	var last way
	for _, s := range b.series {
		if s.way != last {
			last = s.way
			fmt.Fprintf(t, "\n%s\t\t\t\t\t\t\t\t\t\n", s.way)
			fmt.Fprint(t, "proxy\troutes\tCPU µs\tleast–most\trequests/s\tbusy %\tp50 ms\tp99 ms\tp99.9 ms\tMB\t\n")
		}
		m := s.medians()
		cpu := func(f figures) time.Duration { return f.cpu }
		by := func(x, y figures) int { return cmp.Compare(x.cpu, y.cpu) }
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.1f–%.1f\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%d\t\n", s.subject.proxy, s.subject.routes,
			micros(m.cpu), micros(cpu(slices.MinFunc(s.turns, by))), micros(cpu(slices.MaxFunc(s.turns, by))),
			m.rate, m.busy*100, millis(m.p50), millis(m.p99), millis(m.p999), s.resident>>20)
	}
	t.Flush()
	fmt.Fprintf(out, "\nlxdfleet with %d routes after each host was visited: %d MB resident\n", b.plan.many, b.visited>>20)
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// verdict says whether a target is met: got is at most limit.
type verdict struct {
	what       string
	got, limit float64
	unit       string
}

func (v verdict) met() bool { return v.got <= v.limit }

// printVerdicts writes them and gives how many targets are missed.
func printVerdicts(out io.Writer, all []verdict) (missed int) {
	fmt.Fprintln(out)
	for _, v := range all {
		word := "met   "
		if !v.met() {
			word = "MISSED"
			missed++
		}
		fmt.Fprintf(out, "%s  %s: %.4g%s, at most %.4g\n", word, v.what, v.got, v.unit, v.limit)
	}
	return missed
}

// of gives the turns of a proxy.
func (b *bench) of(proxy string, routes int, w way) []figures {
	for _, s := range b.series {
		if s.subject.proxy == proxy && s.subject.routes == routes && s.way == w {
			return s.turns
		}
	}
	return nil
}

// ratio gives the middle of the rounds' ratios, which a slow spell of the machine moves less than
// the ratio of two medians; not a number where one side was left out.
func ratio(above, below []figures, of func(figures) float64) float64 {
	var all []float64
	for i := range min(len(above), len(below)) {
		all = append(all, of(above[i])/of(below[i]))
	}
	if len(all) == 0 {
		return math.NaN()
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// verdicts compares the turns with the targets.
func (b *bench) verdicts() []verdict {
	few, many := b.plan.few, b.plan.many
	us := func(w way) []figures { return b.of("lxdfleet", few, w) }
	nginx := func(w way) []figures { return b.of("nginx", few, w) }
	caddy := func(w way) []figures { return b.of("caddy", few, w) }
	cpu := func(f figures) float64 { return float64(f.cpu) }
	p99 := func(f figures) float64 { return float64(f.p99) }
	rate := func(f figures) float64 { return f.rate }
	all := []verdict{
		{"HTTP/1.1, CPU per request against nginx", ratio(us(overHTTP1), nginx(overHTTP1), cpu), 1.3, " ×"},
		{"HTTP/1.1, CPU per request against Caddy", ratio(us(overHTTP1), caddy(overHTTP1), cpu), 0.5, " ×"},
		{"HTTP/1.1, p99 against Caddy", ratio(us(overHTTP1), caddy(overHTTP1), p99), 1, " ×"},
		{"HTTP/2, CPU per request against Caddy", ratio(us(overHTTP2), caddy(overHTTP2), cpu), 0.5, " ×"},
		{"new connections per second, Caddy's against ours", ratio(caddy(handshaken), us(handshaken), rate), 1, " ×"},
		{"new connections, CPU of each against Caddy", ratio(us(handshaken), caddy(handshaken), cpu), 1, " ×"},
	}
	for _, w := range []way{overHTTP1, overHTTP2} {
		all = append(all, verdict{
			fmt.Sprintf("%s, CPU per request with %d routes against %d", w, many, few),
			ratio(b.of("lxdfleet", many, w), us(w), cpu), 1.05, " ×",
		})
	}
	all = append(all, verdict{fmt.Sprintf("memory with %d hosts visited", many), float64(b.visited >> 20), 250, " MB"})
	return slices.DeleteFunc(all, func(v verdict) bool { // of a proxy that was left out
		return math.IsNaN(v.got)
	})
}

// microTargets are those that Go benchmarks show: a name, the unit in their output, and what a
// figure in that unit is to be divided by.
var microTargets = []struct {
	name, unit, what string
	divide, limit    float64
	shown            string
}{
	{"BenchmarkLookup/100000", "ns/op", "table lookup at 100,000 hosts", 1, 100, " ns"},
	{"BenchmarkLookup/100000", "allocs/op", "allocations of a lookup", 1, 0, ""},
	{"BenchmarkBuildTable", "ns/op", "building the table of 100,000 hosts", 1e6, 200, " ms"},
	{"BenchmarkRouteChange", "ns/op", "a route change seen in the same process", 1e6, 50, " ms"},
	{"BenchmarkResumeWaiters", "ms-last", "1,000 waiters released after resume", 1, 100, " ms"},
}

// microVerdicts reads what go test -bench printed. Of several runs the least counts: whatever else
// the machine does only adds to it.
func microVerdicts(file string) ([]verdict, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	seen := make(map[string][]float64) // by name and unit
	for lines := bufio.NewScanner(in); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := fields[0]
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i] // the number of threads
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				seen[name+" "+fields[i+1]] = append(seen[name+" "+fields[i+1]], value)
			}
		}
	}
	var all []verdict
	for _, t := range microTargets {
		values := seen[t.name+" "+t.unit]
		if len(values) == 0 {
			return nil, fmt.Errorf("%s has no %s of %s", file, t.unit, t.name)
		}
		all = append(all, verdict{t.what, slices.Min(values) / t.divide, t.limit, t.shown})
	}
	return all, nil
}
