package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// progress shows a job's events: on a terminal one line per step that changes in place, else
// plain lines.
func (t *tool) progress(start time.Time) *progress {
	p := &progress{out: t.Err, start: start, width: width(t.Err), now: t.now, over: make(chan struct{})}
	if _, p.live = terminal(t.Err); p.live {
		p.ended.Go(p.animate)
	}
	return p
}

type progress struct {
	out   io.Writer
	start time.Time // of the job
	width int
	live  bool
	now   func() time.Time

	mu      sync.Mutex
	step    client.JobEvent // the latest news of the step that is under way
	began   time.Time       // when we heard of the step
	midLine bool            // output stopped in the middle of a line
	shown   bool            // the live line is on the screen
	printed client.JobEvent // the progress that was last printed as a line
	frame   int
	over    chan struct{}
	ended   sync.WaitGroup
}

// event shows one event.
func (p *progress) event(e client.JobEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	switch e.Type {
	case client.JobEventTypeStarted, client.JobEventTypeUndoStarted:
		p.step, p.began, p.printed = e, p.now(), client.JobEvent{}
		if e.Type == client.JobEventTypeUndoStarted && !p.live {
			p.line(e, "taking back")
		}
	case client.JobEventTypeProgress:
		p.step = e
		if !p.live && worthALine(p.printed, e) {
			p.printed = e
			p.line(e, amount(e))
		}
	case client.JobEventTypeOutput:
		p.text(e.Message)
	case client.JobEventTypeDone:
		p.end(e, "done")
	case client.JobEventTypeUndone:
		p.end(e, "taken back")
	case client.JobEventTypeFailed:
		p.end(e, "failed: "+e.Message)
	case client.JobEventTypeState:
		if e.Message == string(client.JobStateUndoing) {
			p.line(e, "undoing what was done")
		}
	}
	p.draw()
}

func (p *progress) end(e client.JobEvent, outcome string) {
	p.step = client.JobEvent{}
	p.line(e, outcome)
}

// worthALine thins out progress where lines stay: a new message, or another tenth.
func worthALine(last, e client.JobEvent) bool {
	if e.Message != last.Message {
		return true
	}
	return e.Percent/10 != last.Percent/10
}

// line prints what stays.
func (p *progress) line(e client.JobEvent, what string) {
	if p.midLine {
		fmt.Fprintln(p.out)
		p.midLine = false
	}
	name := cmp.Or(e.Step, "job")
	fmt.Fprintf(p.out, "[%5.1fs] %s: %s\n", max(0, e.At.Sub(p.start).Seconds()), printable(name), printable(what))
}

// text prints a step's own output as it is, but for what would steer the terminal.
func (p *progress) text(s string) {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, l := range lines {
		lines[i] = printable(l)
	}
	fmt.Fprint(p.out, strings.Join(lines, "\n"))
	p.midLine = s != "" && !strings.HasSuffix(s, "\n")
}

func amount(e client.JobEvent) string {
	var parts []string
	if e.Percent > 0 {
		parts = append(parts, fmt.Sprintf("%d%%", e.Percent))
	}
	if e.Bytes > 0 {
		parts = append(parts, humanSize(e.Bytes))
	}
	if e.Message != "" {
		parts = append(parts, e.Message)
	}
	return strings.Join(parts, "  ")
}

const frames = `|/-\`

// draw shows the live line. It is called with mu held.
func (p *progress) draw() {
	if !p.live || p.step.Step == "" || p.midLine {
		return
	}
	bar := ""
	if p.step.Percent > 0 {
		filled := min(20, p.step.Percent/5)
		bar = "[" + strings.Repeat("=", filled) + strings.Repeat(" ", 20-filled) + "] "
	}
	line := fmt.Sprintf("%c %s  %s%s  %.0fs", frames[p.frame%len(frames)], p.step.Step, bar, amount(p.step), p.now().Sub(p.began).Seconds())
	if runes := []rune(printable(line)); len(runes) >= p.width {
		line = string(runes[:p.width-1])
	}
	fmt.Fprint(p.out, "\r\x1b[K"+printable(line))
	p.shown = true
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}

func (p *progress) animate() {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.over:
			return
		case <-tick.C:
			p.mu.Lock()
			p.frame++
			p.draw()
			p.mu.Unlock()
		}
	}
}

// close ends the show and leaves the cursor at the start of a line.
func (p *progress) close() {
	close(p.over)
	p.ended.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	if p.midLine {
		fmt.Fprintln(p.out)
	}
}
