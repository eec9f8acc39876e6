package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/bench"
	"github.com/lxdfleet/lxdfleet/integration/rows"
)

const (
	// Each of the visitors asks twice a second: 40 commits/s and 10 page views/s, which take about
	// half of a processor.
	writers, readers = 20, 5
	every            = 500 * time.Millisecond
	// warm is how many commits there are before anything is measured, and after it.
	warm = 50
	// quiet is how long the load goes on before and after what is measured.
	quiet = time.Second
	// impatient is how long a request to an instance waits that nobody holds requests for.
	impatient = 2 * time.Second
)

// benchmark takes both through the same turns.
type benchmark struct {
	daemon            *bench.Fleet
	lxc               bench.LXC
	image, tiny, plan string
	members           []string
	wire              wire
	rounds            int
	tenants, atOnce   int
}

// readSizes reads numbers of MiB.
func readSizes(list string) (mib []int, err error) {
	if list == "" {
		return nil, nil
	}
	for _, word := range strings.Split(list, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("a size of %q MiB: give numbers, separated by commas", word)
		}
		mib = append(mib, n)
	}
	return mib, nil
}

// size measures moves of two instances to which so much is added.
func (b *benchmark) size(ctx context.Context, mib int) (size, error) {
	pair := []subject{
		&bare{bench.Bare{LXC: b.lxc, Instance: "bench-bare", Image: b.image, Plan: b.plan, Timeout: impatient}},
		&tenant{bench.Tenant{LXC: b.lxc, Daemon: b.daemon, Tenant: "bench-tenant", Image: b.image, Plan: b.plan}},
	}
	var out size
	for _, s := range pair {
		defer s.Remove(context.WithoutCancel(ctx))
		s.Remove(ctx) // of a run that was broken off
		if err := s.Create(ctx, b.members[0]); err != nil {
			return out, err
		}
		if err := fill(ctx, s, mib); err != nil {
			return out, err
		}
	}
	for round := range b.rounds {
		from, to := b.members[round%2], b.members[(round+1)%2]
		// Turns alternate, so that a slow spell of the machine hits both.
		order := slices.Clone(pair)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			f, err := b.turn(ctx, s, from, to, s == pair[1])
			if err != nil {
				return out, fmt.Errorf("move of %s by %s: %w", s.Name(), s.Label(), err)
			}
			if s == pair[1] {
				out.fleet = append(out.fleet, f)
			} else {
				out.lxc = append(out.lxc, f)
			}
			fmt.Fprintf(os.Stderr, "  +%d MiB, round %d of %d: %-8s %s\n", mib, round+1, b.rounds, s.Label(), f)
		}
	}
	return out, nil
}

// fill gives an instance files of its own, which no compression makes smaller.
func fill(ctx context.Context, s subject, mib int) error {
	const script = `mkdir -p /srv/files && for i in $(seq "$1"); do head -c 10M /dev/urandom >/srv/files/$i; done && sync`
	_, err := s.Run(ctx, "exec", s.Name(), "--", "sh", "-c", script, "sh", strconv.Itoa(mib/10))
	return err
}

// turn moves one of the two under load.
func (b *benchmark) turn(ctx context.Context, s subject, from, to string, ours bool) (figure, error) {
	var f figure
	own, err := s.Run(ctx, "exec", s.Name(), "--", "du", "-sx", "--block-size=1", "/")
	if err != nil {
		return f, err
	}
	if _, err := fmt.Sscan(own, &f.own); err != nil {
		return f, fmt.Errorf("the size of %s: %w in %q", s.Name(), err, own)
	}
	if err := s.Seed(ctx, s.Name()); err != nil {
		return f, err
	}
	url, client := s.Site()
	load := rows.Start(rows.Options{Site: url, Client: client, Writers: writers, Readers: readers, Every: every})
	defer load.Stop()
	if err := load.Await(ctx, warm); err != nil {
		return f, err
	}
	sent, err := b.wire.sent(from)
	if err != nil {
		return f, err
	}
	start := time.Now()
	if f.steps, err = s.move(ctx, to); err != nil {
		return f, err
	}
	f.took = time.Since(start)
	if now, err := b.wire.sent(from); err == nil {
		f.sent = now - sent
	}
	if err := s.Page(ctx); err != nil {
		return f, err
	}
	// A bare instance was away: who wrote to it has no answer, and may ask in vain a while longer.
	if err := bench.Sleep(ctx, quiet); err != nil {
		return f, err
	}
	if err := load.Await(ctx, warm); err != nil {
		return f, err
	}
	load.Stop()
	f.judge(load, start)
	if !ours {
		return f, nil
	}
	end := load.Now()
	return f, s.CheckRows(ctx, s.Name(), load, rows.Cut{Before: end, After: end})
}

// figure is one move.
type figure struct {
	own, sent        int64 // bytes
	took             time.Duration
	longest          time.Duration // that a request waited for a good answer
	outage           time.Duration // between two good answers
	failed, requests int
	steps            map[string]time.Duration
}

func (f figure) String() string {
	return fmt.Sprintf("%.2fs, outage %.2fs, longest request %.2fs, %d of %d failed, %d MB sent of %d",
		f.took.Seconds(), f.outage.Seconds(), f.longest.Seconds(), f.failed, f.requests, f.sent/1e6, f.own/1e6)
}

// judge looks at the load's requests since a moment.
func (f *figure) judge(load *rows.Load, since time.Time) {
	var good []time.Time
	count := func(from, to time.Time) {
		good = append(good, to)
		if to.After(since) {
			f.requests++
			f.longest = max(f.longest, to.Sub(from))
		}
	}
	for _, c := range load.Commits() {
		if c.Acked != 0 {
			count(c.SentAt, c.AckedAt)
		}
	}
	for _, v := range load.Visits() {
		count(v.From, v.To)
	}
	f.failed = len(load.Failures())
	f.requests += f.failed
	slices.SortFunc(good, time.Time.Compare)
	for i := 1; i < len(good); i++ {
		if good[i].After(since) {
			f.outage = max(f.outage, good[i].Sub(good[i-1]))
		}
	}
}
