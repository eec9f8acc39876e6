package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/bench"
	"github.com/lxdfleet/lxdfleet/integration/rows"
)

// subject is one instance with WordPress, and a way to snapshot and restore it.
type subject interface {
	Label() string
	// Name of its instance in LXD.
	Name() string
	Create(ctx context.Context, member string) error
	Remove(ctx context.Context)
	// snapshot takes one, and tells how long the application was held still as far as known.
	snapshot(ctx context.Context, name string) (held time.Duration, err error)
	forget(ctx context.Context, name string) error
	// restore ends with the first good page.
	restore(ctx context.Context, name string) error
	// Site is where its pages are, and who fetches them.
	Site() (url string, client *http.Client)
	Seed(ctx context.Context, instance string) error
	CheckRows(ctx context.Context, instance string, load *rows.Load, cut rows.Cut) error
}

const (
	writers, readers = 4, 1
	pause            = 20 * time.Millisecond
	// warm is how many commits there are before anything is measured.
	warm = 60
	// quiet is how long the load goes on before and after what is measured.
	quiet = 700 * time.Millisecond
)

// begin puts the subject under load, from empty tables.
func begin(ctx context.Context, s subject) (*rows.Load, error) {
	if err := s.Seed(ctx, s.Name()); err != nil {
		return nil, err
	}
	url, client := s.Site()
	load := rows.Start(rows.Options{Site: url, Client: client, Writers: writers, Readers: readers, Pause: pause})
	if err := load.Await(ctx, warm); err != nil {
		load.Stop()
		return nil, fmt.Errorf("load on %s: %w", s.Label(), err)
	}
	return load, bench.Sleep(ctx, quiet)
}

func measureSnapshot(ctx context.Context, s subject, name string) (figure, error) {
	load, err := begin(ctx, s)
	if err != nil {
		return figure{}, err
	}
	defer load.Stop()
	start := time.Now()
	held, err := s.snapshot(ctx, name)
	f := figure{took: time.Since(start), held: held}
	if err != nil {
		return f, err
	}
	if err := bench.Sleep(ctx, quiet); err != nil {
		return f, err
	}
	f.stall = load.Stall(start, start.Add(f.took))
	if failures := load.Failures(); len(failures) > 0 {
		return f, fmt.Errorf("%d requests failed during a snapshot by %s, such as %q", len(failures), s.Label(), failures[0])
	}
	return f, s.forget(ctx, name)
}

// measureRestore goes back to a snapshot while requests come in. checked: every row is looked
// at afterwards, which only holds where requests were held.
func measureRestore(ctx context.Context, s subject, name string, checked bool) (figure, error) {
	load, err := begin(ctx, s)
	if err != nil {
		return figure{}, err
	}
	defer load.Stop()
	cut := rows.Cut{Before: load.Now()}
	if _, err := s.snapshot(ctx, name); err != nil {
		return figure{}, err
	}
	cut.After = load.Now()
	if err := load.Await(ctx, warm); err != nil {
		return figure{}, err
	}
	cut.Left = load.Now()
	start := time.Now()
	if err := s.restore(ctx, name); err != nil {
		return figure{}, err
	}
	f := figure{took: time.Since(start)}
	cut.Back = load.Now()
	// A bare snapshot is as a power cut would have left it: writers may find a broken table.
	if checked {
		if err := load.Await(ctx, warm); err != nil {
			return f, err
		}
	}
	load.Stop()
	f.failed = len(load.Failures())
	f.requests, f.longest = requests(load, start)
	if checked {
		if err := s.CheckRows(ctx, s.Name(), load, cut); err != nil {
			return f, fmt.Errorf("after a restore by %s: %w", s.Label(), err)
		}
	}
	return f, s.forget(ctx, name)
}

// requests counts the good answers and the bad ones since a moment, and finds the longest wait.
func requests(load *rows.Load, since time.Time) (n int, longest time.Duration) {
	for _, c := range load.Commits() {
		if c.Acked != 0 && c.AckedAt.After(since) {
			n++
			longest = max(longest, c.AckedAt.Sub(c.SentAt))
		}
	}
	for _, v := range load.Visits() {
		if v.To.After(since) {
			n++
			longest = max(longest, v.To.Sub(v.From))
		}
	}
	return n + len(load.Failures()), longest
}
