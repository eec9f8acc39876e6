package jobs

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	progressGap = 200 * time.Millisecond // between two progress events
	outputGap   = 250 * time.Millisecond // for which output is gathered
	outputChunk = 16 << 10               // bytes, of one output event
	outputCap   = 1 << 20                // bytes, of one job
	outputCut   = "\n[more output is not kept]\n"
)

// feed gathers what a step tells until it is worth a write. Telling never waits for the store.
type feed struct {
	now  func() time.Time // stamps events
	kick chan struct{}    // something new is here

	mu       sync.Mutex
	step     string
	progress *fleet.JobEvent // the newest that is not written; older ones are dropped
	progAt   time.Time       // when progress was last taken
	output   []byte
	outAt    time.Time // when the first byte of output came
	total    int       // bytes of output of the job so far
}

func newFeed(now func() time.Time) *feed {
	return &feed{now: now, kick: make(chan struct{}, 1)}
}

// open gives a step its voice, which falls silent at close: a goroutine that a step left
// behind cannot speak in the next step's name.
func (f *feed) open(step string, run *Run) (closeVoice func()) {
	v := &voice{feed: f}
	f.mu.Lock()
	f.step = step
	f.mu.Unlock()
	run.progress, run.output = v.progress, v
	return func() { v.closed.Store(true) }
}

type voice struct {
	feed   *feed
	closed atomic.Bool
}

func (v *voice) progress(p fleet.Progress) {
	if !v.closed.Load() {
		v.feed.addProgress(p)
	}
}

// Write takes output; it never fails.
func (v *voice) Write(p []byte) (int, error) {
	if !v.closed.Load() {
		v.feed.addOutput(p)
	}
	return len(p), nil
}

func (f *feed) addProgress(p fleet.Progress) {
	f.mu.Lock()
	first := f.progress == nil
	f.progress = &fleet.JobEvent{
		Step: f.step, Type: fleet.EventProgress,
		Message: p.Message, Percent: min(max(p.Percent, 0), 100), Bytes: p.Bytes, At: f.now(),
	}
	f.mu.Unlock()
	if first {
		f.tell()
	}
}

func (f *feed) addOutput(p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.total > outputCap || len(p) == 0 {
		return
	}
	before := len(f.output)
	if before == 0 {
		f.outAt = time.Now()
	}
	defer func() {
		if before == 0 || before < outputChunk && len(f.output) >= outputChunk {
			f.tell()
		}
	}()
	if room := outputCap - f.total; len(p) > room {
		f.output = append(append(f.output, p[:wholeRunes(p, room)]...), outputCut...)
		f.total = outputCap + len(outputCut)
		return
	}
	f.output = append(f.output, p...)
	f.total += len(p)
}

func (f *feed) tell() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// due says how long until something should be written; ok is false when there is nothing.
func (f *feed) due() (wait time.Duration, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if f.progress != nil {
		wait, ok = f.progAt.Add(progressGap).Sub(now), true
	}
	switch out := f.outAt.Add(outputGap).Sub(now); {
	case len(f.output) >= outputChunk:
		return 0, true
	case len(f.output) > 0 && (!ok || out < wait):
		wait, ok = out, true
	}
	return max(wait, 0), ok
}

// take gives the events to write now: all there are, or only what is due.
func (f *feed) take(all bool) []fleet.JobEvent {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	var events []fleet.JobEvent
	for len(f.output) > 0 && (all || len(f.output) >= outputChunk || now.Sub(f.outAt) >= outputGap) {
		n := wholeRunes(f.output, outputChunk)
		if all && n == 0 {
			n = len(f.output) // the rest is no rune and will not become one
		}
		if n == 0 {
			f.outAt = now // the rest of the rune is still to come
			break
		}
		events = append(events, fleet.JobEvent{
			Step: f.step, Type: fleet.EventOutput, At: f.now(),
			Message: string(bytes.ToValidUTF8(f.output[:n], []byte("\uFFFD"))),
		})
		f.output = append(f.output[:0], f.output[n:]...)
	}
	if f.progress != nil && (all || now.Sub(f.progAt) >= progressGap) {
		events = append(events, *f.progress)
		f.progress, f.progAt = nil, now
	}
	return events
}

// wholeRunes gives the length of the longest start of p, at most limit bytes, that does not
// end inside a rune.
func wholeRunes(p []byte, limit int) int {
	p = p[:min(limit, len(p))]
	for back := 1; back <= min(utf8.UTFMax, len(p)); back++ {
		tail := p[len(p)-back:]
		if utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				break
			}
			return len(p) - back
		}
	}
	return len(p)
}
