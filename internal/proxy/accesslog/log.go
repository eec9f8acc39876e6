package accesslog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a Log is made of. Zero fields take the defaults named here.
type Config struct {
	// Path is the file to write, or "stdout".
	Path string
	// Sample is the part of the requests that are written, from 0 to 1; those with a status of
	// 500 or more always are.
	Sample float64
	// Buffer is how many bytes wait to be written at most; default 4 MiB. As much again may be
	// under way to the disk.
	Buffer int
	// Every is how often what is there is written, and looked whether the file is still the
	// same; default 1 s.
	Every time.Duration
	// Log takes when lines begin and cease to be lost; default: nothing is logged.
	Log *slog.Logger
}

// enough is how many bytes are written ahead of time.
const enough = 64 << 10

// Log is an access log. Its methods may be called from any goroutine. A nil one is off.
type Log struct {
	cfg     Config
	lines   sync.Pool // *[]byte
	dropped atomic.Uint64
	wake    chan struct{}
	anew    chan struct{}
	stop    chan struct{}
	ended   chan struct{}
	once    sync.Once

	mu     sync.Mutex
	buf    []byte // waits to be written
	closed bool

	// The writer's own.
	out     output
	batch   []byte // being written
	spare   []byte
	torn    bool   // the last line is there in part
	failing bool   // the last write did
	lost    uint64 // dropped, when it began to fail
}

// Open begins an access log. A file that cannot be opened is no error: requests matter more, so
// it is tried again until it can. A Log has to be ended by Close.
func Open(cfg Config) *Log {
	if cfg.Buffer == 0 {
		cfg.Buffer = 4 << 20
	}
	if cfg.Every == 0 {
		cfg.Every = time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	l := &Log{
		cfg: cfg, out: output{path: cfg.Path, patience: cfg.Every},
		wake: make(chan struct{}, 1), anew: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	go l.run()
	return l
}

// Record writes e, unless it is not in the sample. It never waits for the disk.
func (l *Log) Record(e *Entry) {
	if l == nil || e.Status < 500 && l.cfg.Sample < 1 && rand.Float64() >= l.cfg.Sample {
		return
	}
	line, ok := l.lines.Get().(*[]byte)
	if !ok {
		line = new([]byte)
	}
	*line = e.append((*line)[:0])
	l.mu.Lock()
	fits := len(l.buf)+len(*line) <= l.cfg.Buffer && !l.closed
	if fits {
		l.buf = append(l.buf, *line...)
	}
	much := len(l.buf) >= enough
	l.mu.Unlock()
	l.lines.Put(line)
	if !fits {
		l.dropped.Add(1)
	}
	if much {
		nudge(l.wake)
	}
}

// Dropped is how many lines were lost.
func (l *Log) Dropped() uint64 {
	if l == nil {
		return 0
	}
	return l.dropped.Load()
}

// Reopen has the file opened anew, soon.
func (l *Log) Reopen() {
	if l != nil {
		nudge(l.anew)
	}
}

// Close writes what is there and ends the log. Lines that come later are lost. When ctx ends
// sooner the error says that some may be missing. It may be called more than once.
func (l *Log) Close(ctx context.Context) error {
	if l == nil {
		return nil
	}
	l.once.Do(func() {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		close(l.stop)
	})
	select {
	case <-l.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("write the rest of the access log: %w", context.Cause(ctx))
	}
}

func nudge(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run writes until Close.
func (l *Log) run() {
	defer close(l.ended)
	defer l.out.close()
	tick := time.NewTicker(l.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			l.flush() // what was under way
			l.flush() // what came since
			l.dropped.Add(uint64(bytes.Count(append(l.batch, l.buf...), []byte{'\n'})))
			return
		case <-l.anew:
			l.out.close()
		case <-tick.C:
			l.out.closeMoved()
		case <-l.wake:
			if l.failing {
				continue // not at the pace of the requests
			}
		}
		l.flush()
	}
}

// flush writes what is there. What cannot be written stays for the next time.
func (l *Log) flush() {
	if len(l.batch) == 0 {
		l.mu.Lock()
		l.batch, l.buf, l.spare = l.buf, l.spare[:0], nil
		l.mu.Unlock()
		l.spare = l.batch // its memory, for the next
		if cap(l.spare) > 16*enough {
			l.spare = nil
		}
	}
	opened, err := l.out.open()
	if opened && l.torn {
		end := bytes.IndexByte(l.batch, '\n') + 1 // lines are put in whole
		l.batch, l.torn = l.batch[end:], false
		l.dropped.Add(1)
	}
	if err == nil && len(l.batch) > 0 {
		var n int
		n, err = l.out.write(l.batch)
		if n > 0 {
			l.torn = l.batch[n-1] != '\n'
		}
		l.batch = l.batch[n:]
	}
	l.report(err)
}

// report says when writing begins to fail, and when it works again.
func (l *Log) report(err error) {
	switch {
	case err != nil && !l.failing:
		l.lost = l.dropped.Load()
		l.cfg.Log.Error("the access log cannot be written; some lines are kept until it can", "path", l.cfg.Path, "error", err)
	case err == nil && l.failing:
		l.cfg.Log.Warn("the access log is written again", "path", l.cfg.Path, "lost", l.dropped.Load()-l.lost)
	}
	l.failing = err != nil
}
