package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// way is how requests come.
type way string

const (
	overHTTP1  way = "HTTP/1.1 keep-alive"
	overHTTP2  way = "HTTP/2"
	handshaken way = "new connection each"
)

// figures are those of one turn, or their medians.
type figures struct {
	cpu            time.Duration // of the proxy, per request
	rate           float64       // requests per second
	busy           float64       // part of the time that the proxy's core worked for it
	p50, p99, p999 time.Duration
}

// series are the turns of one subject in one way.
type series struct {
	subject  *subject
	way      way
	turns    []figures
	resident int64
}

// bench is one run of everything.
type bench struct {
	plan     *plan
	backend  *process
	subjects []*subject
	series   []*series
	// visited is lxdfleet's memory with most routes after each host was visited, in bytes.
	visited int64
}

// newBench starts the backend and all proxies, and waits until they are at rest.
func newBench(ctx context.Context, w *world, p *plan) (_ *bench, err error) {
	b := &bench{plan: p}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if err := writeWildcard(w.dir); err != nil {
		return nil, fmt.Errorf("make certificates: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	own := 0
	if w.core == 0 {
		own = 1
	}
	b.backend = &process{name: "the backend", command: []string{self, "backend"}, core: own, log: filepath.Join(w.dir, "backend.log")}
	if err := b.backend.start(ctx, w.backends[len(w.backends)-1]); err != nil {
		return nil, err
	}
	if b.subjects, err = newSubjects(w, p.only, []int{p.few, p.many}); err != nil {
		return nil, err
	}
	for _, s := range b.subjects {
		began := time.Now()
		if err := s.proc.start(ctx, s.addr); err != nil {
			return nil, err
		}
		if err := s.proc.quiet(ctx, 10*time.Minute); err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "%s: at rest after %.1f s\n", s, time.Since(began).Seconds())
	}
	return b, nil
}

func (b *bench) close() {
	for _, s := range b.subjects {
		s.proc.end()
	}
	if b.backend != nil {
		b.backend.end()
	}
}

// measure gives every subject its turns. Within a round all have one before any has the next,
// and each round begins with another, so that a slow spell of the machine hits all alike.
func (b *bench) measure(ctx context.Context) error {
	for _, w := range []way{overHTTP1, overHTTP2, handshaken} {
		var row []*series
		for _, s := range b.subjects {
			if w != handshaken || s.routes == b.plan.few {
				row = append(row, &series{subject: s, way: w})
			}
		}
		b.series = append(b.series, row...)
		for round := range b.plan.rounds {
			fmt.Fprintf(os.Stderr, "%s, round %d of %d\n", w, round+1, b.plan.rounds)
			at := round * 3 % len(row)
			for _, s := range slices.Concat(row[at:], row[:at]) {
				f, err := b.turn(ctx, s.subject, w)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", s.subject, w, err)
				}
				s.turns = append(s.turns, f)
			}
		}
	}
	for _, s := range b.series {
		var err error
		if s.resident, err = s.subject.proc.resident(); err != nil {
			return err
		}
	}
	return nil
}

// spread gives n hosts of a subject's, as far apart as can be.
func (s *subject) spread(n int) []string {
	hosts := make([]string, n)
	for i := range hosts {
		hosts[i] = hostName(i * max(1, s.routes/n) % s.routes)
	}
	return hosts
}

// clock reads the CPU time of a measured part.
type clock struct {
	proc  *process
	from  time.Duration
	spent time.Duration
}

func (c *clock) begin() (err error) {
	c.from, err = c.proc.cpu()
	return err
}

func (c *clock) end() error {
	now, err := c.proc.cpu()
	c.spent = now - c.from
	return err
}

// turn measures a subject once.
func (b *bench) turn(ctx context.Context, s *subject, w way) (figures, error) {
	p := b.plan
	l := &load{addr: s.addr, workers: p.workers, requests: p.requests, limit: p.limit}
	var connect func(int) (worker, error)
	switch w {
	case overHTTP1:
		l.hosts = s.spread(p.connections)
		each := max(1, p.connections/p.workers)
		connect = func(i int) (worker, error) { return connectHTTP1(l, i*each, each) }
	case overHTTP2:
		l.workers = max(1, p.workers/p.streams)
		l.hosts = s.spread(l.workers)
		connect = func(i int) (worker, error) { return connectHTTP2(l, l.hosts[i], p.streams) }
	case handshaken:
		l.requests = p.handshakes
		l.hosts = s.spread(s.routes)
		connect = func(i int) (worker, error) { return &handshakes{load: l, next: i}, nil }
	}
	c := &clock{proc: s.proc}
	o, err := l.measure(ctx, c, connect)
	if err != nil {
		return figures{}, err
	}
	n := len(o.times)
	return figures{
		cpu: c.spent / time.Duration(n), rate: float64(n) / o.took.Seconds(), busy: c.spent.Seconds() / o.took.Seconds(),
		p50: o.percentile(500), p99: o.percentile(990), p999: o.percentile(999),
	}, nil
}

// ours gives lxdfleet with so many routes.
func (b *bench) ours(routes int) *subject {
	for _, s := range b.subjects {
		if s.proxy == "lxdfleet" && s.routes == routes {
			return s
		}
	}
	return nil
}

// visitAll opens a connection to every host, so that each certificate is loaded once.
func (b *bench) visitAll(ctx context.Context) error {
	s := b.ours(b.plan.many)
	l := &load{addr: s.addr, hosts: s.spread(s.routes), requests: s.routes, workers: 1, limit: 10 * time.Minute}
	c := &clock{proc: s.proc}
	if _, err := l.measure(ctx, c, func(int) (worker, error) { return &handshakes{load: l}, nil }); err != nil {
		return fmt.Errorf("visit every host: %w", err)
	}
	var err error
	b.visited, err = s.proc.resident()
	return err
}

// profile takes a CPU profile of each way, in turns that are not counted.
func (b *bench) profile(ctx context.Context, dir string) error {
	s := b.ours(b.plan.few)
	for i, w := range []way{overHTTP1, overHTTP2, handshaken} {
		signal := func(sig syscall.Signal) error { return s.proc.cmd.Process.Signal(sig) }
		if err := signal(syscall.SIGUSR1); err != nil {
			return err
		}
		if _, err := b.turn(ctx, s, w); err != nil {
			return err
		}
		if err := signal(syscall.SIGUSR2); err != nil {
			return err
		}
		if err := s.proc.quiet(ctx, time.Minute); err != nil { // it is written
			return err
		}
		name := []string{"http1.pprof", "http2.pprof", "handshakes.pprof"}[i]
		data, err := os.ReadFile(filepath.Join(s.dir, "cpu.pprof"))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			return fmt.Errorf("keep the profile: %w", err)
		}
	}
	return nil
}
