package main

import (
	"strings"
	"testing"
	"time"
)

// moves gives figures of a tenant of so many bytes.
func moves(own int64, outages, longest []int) (out []figure) {
	for i := range outages {
		out = append(out, figure{
			own: own, sent: own, requests: 100, outage: time.Duration(outages[i]) * time.Millisecond,
			longest: time.Duration(longest[i]) * time.Millisecond, steps: map[string]time.Duration{"stop": time.Second},
		})
	}
	return out
}

func TestReport(t *testing.T) {
	good := func() report {
		still := []int{0, 0, 0}
		return report{
			rounds: 3,
			sizes: []size{
				{lxc: moves(7e8, []int{9000, 10500, 99000}, still), fleet: moves(7e8, still, []int{3400, 3000, 9000})},
				{lxc: moves(2e9, []int{15000, 15000, 15000}, still), fleet: moves(2e9, still, []int{3500, 3500, 3500})},
				{lxc: moves(4e9, []int{20000, 20000, 20000}, still), fleet: moves(4e9, still, []int{4000, 4000, 4000})},
			},
			drain: drained{
				tenants: 12, atOnce: 2, lxc: []time.Duration{time.Minute}, fleet: []time.Duration{48 * time.Second},
			},
		}
	}
	slow := func(ms int) []figure { return moves(2e9, []int{0, 0, 0}, []int{ms, ms, ms}) }
	tests := []struct {
		name   string
		change func(*report)
		missed string // in the line; empty: none
	}{
		{"all met", func(*report) {}, ""},
		{"a request failed once", func(r *report) { r.sizes[1].fleet[2].failed = 1 }, "2.0 GB: failed"},
		{"too long a hold", func(r *report) { r.sizes[1].fleet = slow(4010) }, "2.0 GB: longest request"},
		{"more than a third of lxc's", func(r *report) { r.sizes[0].lxc = moves(7e8, []int{10100}, []int{0}) }, "beside lxc"},
		{"more than a fifth of lxc's", func(r *report) { r.sizes[2].lxc = moves(4e9, []int{19900}, []int{0}) }, "beside lxc"},
		{"holds that differ", func(r *report) { r.sizes[1].fleet = slow(3300) }, "holds of all sizes"},
		{"too many bytes", func(r *report) {
			for i := range r.sizes[2].fleet {
				r.sizes[2].fleet[i].sent = 47e8
			}
		}, "4.0 GB: sent"},
		{"a slow drain", func(r *report) { r.drain.fleet[0] += time.Millisecond }, "drain of 12"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, out := good(), &strings.Builder{}
			tt.change(&r)
			met := r.print(out)
			if met != (tt.missed == "") {
				t.Errorf("met %t:\n%s", met, out)
			}
			for line := range strings.Lines(out.String()) {
				if strings.Contains(line, "MISSED") && !strings.HasPrefix(strings.TrimSpace(line), tt.missed) {
					t.Errorf("another is missed: %s", line)
				}
			}
		})
	}
}

func TestSizes(t *testing.T) {
	if got, err := readSizes("0,1300"); err != nil || len(got) != 2 || got[1] != 1300 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := readSizes(""); err != nil || len(got) != 0 {
		t.Errorf("none: %v, %v", got, err)
	}
	for _, bad := range []string{",", "1,", "-1", "2GB"} {
		if got, err := readSizes(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}
