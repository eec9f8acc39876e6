package jobs_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// TestProgressIsThinned: five a second are stored, the last of the step always is, before the
// step's end.
func TestProgressIsThinned(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		s.on("b", func(_ context.Context, run *jobs.Run) error {
			for i := range 1000 {
				run.Progress(fleet.Progress{Message: "copying", Percent: i / 5, Bytes: int64(i)})
				time.Sleep(10 * time.Millisecond)
			}
			return nil
		})
		e := s.start()
		id := s.submit(e)
		s.ends(e, id, fleet.JobDone)
		var seen []fleet.JobEvent
		for _, ev := range s.events(id) {
			switch {
			case ev.Type == fleet.EventProgress:
				seen = append(seen, ev)
			case ev.Type == fleet.EventDone && ev.Step == "b":
				if last := seen[len(seen)-1]; last.Bytes != 999 || last.Percent != 100 || last.Step != "b" {
					s.Errorf("last progress before the end: %+v", last)
				}
			}
		}
		if len(seen) < 45 || len(seen) > 52 {
			s.Errorf("%d progress events in 10 s, want about 50", len(seen))
		}
	})
}

// TestOutput: what a step prints is stored whole and in order, in pieces that are not too
// many, with runes kept whole, and before the end of its step.
func TestOutput(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		var printed strings.Builder
		s.on("b", func(_ context.Context, run *jobs.Run) error {
			w := io.MultiWriter(&printed, run.Output())
			for i := range 500 {
				_, _ = fmt.Fprintf(w, "Grüße %d\n", i)
				time.Sleep(5 * time.Millisecond)
			}
			for _, b := range []byte(strings.Repeat("ü€😀", 5000)) {
				_, _ = w.Write([]byte{b})
			}
			return nil
		})
		e := s.start()
		id := s.submit(e)
		s.ends(e, id, fleet.JobDone)
		var stored strings.Builder
		pieces := 0
		for _, ev := range s.events(id) {
			switch {
			case ev.Type == fleet.EventOutput:
				pieces++
				stored.WriteString(ev.Message)
				if ev.Step != "b" || len(ev.Message) > 16<<10 || !utf8.ValidString(ev.Message) {
					s.Errorf("piece %d: step %s, %d bytes", pieces, ev.Step, len(ev.Message))
				}
			case ev.Type == fleet.EventDone && ev.Step == "b":
				if stored.String() != printed.String() {
					s.Errorf("%d bytes stored at the step's end, %d printed", stored.Len(), printed.Len())
				}
			}
		}
		if pieces > 20 {
			s.Errorf("%d pieces for 2.5 s and 45 kB", pieces)
		}
	})
}

// TestOutputWhileRunning: what is printed is there to see soon, not only at the step's end.
func TestOutputWhileRunning(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		s.on("b", func(ctx context.Context, run *jobs.Run) error {
			_, _ = io.WriteString(run.Output(), "hello \xff\n")
			return hang(ctx, run)
		})
		e := s.start()
		id := s.submit(e)
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		events := s.events(id)
		s.want("output", events[len(events)-1].Message, "hello \uFFFD\n")
	})
}

// TestOutputIsCut: a job keeps 1 MiB, over all its steps and runners.
func TestOutputIsCut(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		talk := func(ctx context.Context, run *jobs.Run) error {
			for range 700 {
				_, _ = io.WriteString(run.Output(), strings.Repeat("x", 1023)+"\n")
			}
			return nil
		}
		s.on("a", talk)
		s.on("b", times(1, hang))
		s.on("c", talk)
		first := s.start()
		id := s.submit(first)
		synctest.Wait()
		s.ok(first.Stop(s.Context()))
		s.ends(s.start(), id, fleet.JobDone)
		var output string
		for _, ev := range s.events(id) {
			if ev.Type == fleet.EventOutput {
				output += ev.Message
			}
		}
		const note = "\n[more output is not kept]\n"
		if len(output) != 1<<20+len(note) || !strings.HasSuffix(output, note) || strings.Count(output, note) != 1 {
			s.Errorf("%d bytes kept, ending in %q", len(output), output[len(output)-30:])
		}
	})
}

// TestTellingNeverWaits: a step that tells while the store hangs goes on.
func TestTellingNeverWaits(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		var slow atomic.Bool
		s.store.Before = func(ctx context.Context, method string) error {
			if slow.Load() && method == "AppendEvents" {
				time.Sleep(5 * time.Second)
			}
			return ctx.Err()
		}
		s.on("b", func(_ context.Context, run *jobs.Run) error {
			slow.Store(true)
			began := time.Now()
			for range 100 {
				run.Progress(fleet.Progress{Message: "x"})
				_, _ = io.WriteString(run.Output(), "x")
				time.Sleep(10 * time.Millisecond)
			}
			if took := time.Since(began); took != time.Second {
				s.Errorf("the step was held up for %v", took-time.Second)
			}
			return nil
		})
		e := s.start()
		s.ends(e, s.submit(e), fleet.JobDone)
	})
}

// TestVoiceOfAnEndedStep: a goroutine that a step left behind is not heard in the next step.
func TestVoiceOfAnEndedStep(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		var left *jobs.Run
		s.on("a", func(_ context.Context, run *jobs.Run) error { left = run; return nil })
		s.on("b", func(context.Context, *jobs.Run) error {
			left.Progress(fleet.Progress{Message: "ghost"})
			_, _ = io.WriteString(left.Output(), "ghost")
			time.Sleep(time.Second)
			return nil
		})
		e := s.start()
		id := s.submit(e)
		s.ends(e, id, fleet.JobDone)
		for _, ev := range s.events(id) {
			if ev.Message == "ghost" {
				s.Errorf("heard %+v", ev)
			}
		}
	})
}

func TestRunOfNoJob(t *testing.T) {
	run := &jobs.Run{}
	run.Progress(fleet.Progress{Message: "x"})
	if n, err := io.WriteString(run.Output(), "x"); n != 1 || err != nil {
		t.Errorf("output: %d, %v", n, err)
	}
}
