package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func newProgress(live bool) (*progress, *locked) {
	start := time.Date(2025, 3, 14, 9, 26, 53, 0, time.UTC)
	out := &locked{}
	return &progress{
		out: out, start: start, width: 60, live: live, over: make(chan struct{}),
		now: func() time.Time { return start.Add(2 * time.Second) },
	}, out
}

func at(p *progress, seconds float64, e client.JobEvent) client.JobEvent {
	e.At = p.start.Add(time.Duration(seconds * float64(time.Second)))
	return e
}

func TestProgressOnATerminal(t *testing.T) {
	p, out := newProgress(true)
	p.event(at(p, 0, client.JobEvent{Step: "clone", Type: "started"}))
	p.event(at(p, 1, client.JobEvent{Step: "clone", Type: "progress", Percent: 45, Bytes: 3 << 20, Message: strings.Repeat("x", 80)}))
	p.event(at(p, 2, client.JobEvent{Step: "clone", Type: "done"}))
	p.close()
	want := "\r\x1b[K| clone    0s" + "\r\x1b[K" +
		"\r\x1b[K| clone  [=========           ] 45%  3.0 MiB  xxxxxxxxxxxxx" + "\r\x1b[K" +
		"[  2.0s] clone: done\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out, want)
	}
}

func TestProgressAsLines(t *testing.T) {
	p, out := newProgress(false)
	p.event(at(p, 0, client.JobEvent{Step: "unpack", Type: "started"}))
	for percent := range 30 {
		p.event(at(p, float64(percent)/10, client.JobEvent{Step: "unpack", Type: "progress", Percent: percent, Message: "on n1"}))
	}
	p.event(at(p, 3, client.JobEvent{Step: "unpack", Type: "output", Message: "no end of line \x1b[31m"}))
	p.event(at(p, 4, client.JobEvent{Step: "unpack", Type: "failed", Message: "disk full"}))
	p.event(at(p, 4, client.JobEvent{Type: "state", Message: "undoing"}))
	p.event(at(p, 5, client.JobEvent{Step: "unpack", Type: "output", Message: "cut"}))
	p.close()
	want := `[  0.0s] unpack: on n1
[  1.0s] unpack: 10%  on n1
[  2.0s] unpack: 20%  on n1
no end of line ` + "\uFFFD" + `[31m
[  4.0s] unpack: failed: disk full
[  4.0s] job: undoing what was done
cut
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("plain\x1b[2J\u009b\x00")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range printable(s) {
			if r < ' ' || r >= 0x7f && r < 0xa0 {
				t.Errorf("%q keeps %U", s, r)
			}
		}
	})
}
