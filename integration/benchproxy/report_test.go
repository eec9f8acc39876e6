package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// measured is a bench with made-up figures, in microseconds of CPU per request.
func measured(ours, ourMany, nginx, caddy float64) *bench {
	b := &bench{plan: &plan{few: 10, many: 100}, visited: 100 << 20}
	add := func(proxy string, routes int, cpu float64) {
		for _, w := range []way{overHTTP1, overHTTP2, handshaken} {
			s := &series{subject: &subject{proxy: proxy, routes: routes}, way: w}
			for _, f := range []float64{1, 3, 0.9} { // the middle one is 1
				d := time.Duration(cpu * f * 1e3)
				s.turns = append(s.turns, figures{cpu: d, p99: d, rate: 1 / (cpu * f)})
			}
			b.series = append(b.series, s)
		}
	}
	add("lxdfleet", 10, ours)
	add("lxdfleet", 100, ourMany)
	add("nginx", 10, nginx)
	add("caddy", 10, caddy)
	return b
}

func missedOf(b *bench) (missed []string) {
	for _, v := range b.verdicts() {
		if !v.met() {
			missed = append(missed, v.what)
		}
	}
	return missed
}

func TestVerdicts(t *testing.T) {
	for name, tc := range map[string]struct {
		ours, many, nginx, caddy float64
		missed                   []string
	}{
		"all met":          {40, 41, 35, 90, nil},
		"dearer than 1.3":  {46, 46, 35, 100, []string{"against nginx"}},
		"more than half":   {40, 40, 35, 70, []string{"HTTP/1.1, CPU per request against Caddy", "HTTP/2, CPU"}},
		"routes cost time": {40, 43, 35, 90, []string{"HTTP/1.1 keep-alive, CPU per request with 100", "HTTP/2, CPU per request with 100"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := missedOf(measured(tc.ours, tc.many, tc.nginx, tc.caddy))
			if len(got) != len(tc.missed) {
				t.Fatalf("missed: %q", got)
			}
			for i, want := range tc.missed {
				if !strings.Contains(got[i], want) {
					t.Errorf("missed %q, not %q", got[i], want)
				}
			}
		})
	}
}

func TestMemoryTarget(t *testing.T) {
	b := measured(40, 40, 35, 90)
	b.visited = 251 << 20
	if got := missedOf(b); len(got) != 1 || !strings.Contains(got[0], "memory") {
		t.Errorf("missed: %q", got)
	}
}

func TestMicroVerdicts(t *testing.T) {
	text := `goos: linux
BenchmarkLookup/100000-2     100  90.0 ns/op  0 B/op  0 allocs/op
BenchmarkLookup/100000-2     100  300 ns/op  0 B/op  0 allocs/op
BenchmarkLookup/100000-2     100  80.0 ns/op  0 B/op  0 allocs/op
BenchmarkBuildTable          10  250000000 ns/op  0 B/op  0 allocs/op
BenchmarkRouteChange-2       10  3000000 ns/op
BenchmarkResumeWaiters-2     10  9000000 ns/op  0.500 ms-last
PASS
`
	file := filepath.Join(t.TempDir(), "micro")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	all, err := microVerdicts(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{80, 0, 250, 3, 0.5}
	for i, v := range all {
		if v.got != want[i] || v.met() != (i != 2) {
			t.Errorf("%s: %v, met %v", v.what, v.got, v.met())
		}
	}
	write(strings.Replace(text, "ms-last", "ms-first", 1))
	if _, err := microVerdicts(file); err == nil {
		t.Error("a benchmark that did not run is not noticed")
	}
}
