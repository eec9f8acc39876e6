package main

import (
	"strings"
	"testing"
	"time"
)

func TestReport(t *testing.T) {
	ms := func(values ...int) (out []time.Duration) {
		for _, v := range values {
			out = append(out, time.Duration(v)*time.Millisecond)
		}
		return out
	}
	good := func() report {
		return report{
			lxc:   side{snapshot: ms(300, 400, 900), stall: ms(60, 60, 60), restore: ms(2000, 2000, 2000), failed: 90, requests: 100},
			fleet: side{snapshot: ms(500, 550, 990), stall: ms(300, 450, 460), restore: ms(2600, 2600, 2600), requests: 100},
		}
	}
	tests := []struct {
		name   string
		change func(*report)
		missed string // starts the line; empty: none
	}{
		{"all met", func(*report) {}, ""},
		{"slow snapshot", func(r *report) { r.fleet.snapshot = ms(551, 551, 551) }, "snapshot"},
		{"writes blocked too long", func(r *report) { r.fleet.stall = ms(451, 451, 451) }, "writes blocked"},
		{"slow restore", func(r *report) { r.fleet.restore = ms(2601, 2601, 2601) }, "restore in place"},
		{"a request failed", func(r *report) { r.fleet.failed = 1 }, "requests failed"},
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
				if strings.Contains(line, "MISSED") && !strings.HasPrefix(line, tt.missed) {
					t.Errorf("another is missed: %s", line)
				}
			}
		})
	}
}
