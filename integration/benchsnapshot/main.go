// Command benchsnapshot measures snapshots and restores of a WordPress tenant that is written to
// all the while, against bare lxc doing the same to an instance of the same image: what the
// application is held still for costs, and what requests see of a restore. Both run in turns in
// one run; figures are medians. After each of lxdfleet's restores every row is checked.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchsnapshot:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var (
		rounds  = flag.Int("rounds", 5, "measure each case so many times")
		socket  = flag.String("socket", "", "unix socket of the lxdfleet daemon")
		https   = flag.String("https", "127.0.0.1:443", "address of its HTTPS proxy")
		ca      = flag.String("ca", "", "file with its certificate authority")
		project = flag.String("project", "lxdfleet", "its LXD project")
		image   = flag.String("image", "wordpress", "golden image")
		plan    = flag.String("plan", "small", "plan")
		settle  = flag.String("settle", "", "path of the btrfs pool whose clean-up is waited for before each turn")
		gate    = flag.Bool("gate", true, "exit 1 where a target is missed")
	)
	flag.Parse()
	daemon, err := bench.OpenFleet(*socket, *https, *ca)
	if err != nil {
		return err
	}
	command := bench.LXC{Project: *project}
	b := &benchmark{
		bare:  &bare{bench.Bare{LXC: command, Instance: "bench-bare", Image: *image, Plan: *plan, Timeout: 5 * time.Second}},
		fleet: &fleet{bench.Tenant{LXC: command, Daemon: daemon, Tenant: "bench-tenant", Image: *image, Plan: *plan}},
		pool:  *settle, rounds: *rounds,
	}
	r, err := b.run(ctx)
	if err != nil {
		return err
	}
	met := r.print(os.Stdout)
	if !met && *gate {
		return fmt.Errorf("a target is missed")
	}
	return nil
}

// benchmark takes both through the same turns.
type benchmark struct {
	bare, fleet subject
	pool        string
	rounds      int
}

func (b *benchmark) run(ctx context.Context) (*report, error) {
	for _, s := range []subject{b.bare, b.fleet} {
		defer s.Remove(context.WithoutCancel(ctx))
		if err := s.Create(ctx, ""); err != nil {
			return nil, err
		}
	}
	r := &report{}
	for round := range b.rounds {
		// Turns alternate, so that a slow spell of the machine hits both.
		pair := []subject{b.bare, b.fleet}
		if round%2 == 1 {
			slices.Reverse(pair)
		}
		for _, s := range pair {
			side := &r.lxc
			if s == b.fleet {
				side = &r.fleet
			}
			if err := b.turn(ctx, s, round, side, s == b.fleet); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

func (b *benchmark) turn(ctx context.Context, s subject, round int, side *side, ours bool) error {
	if err := bench.WaitClean(ctx, b.pool); err != nil {
		return err
	}
	snap, err := measureSnapshot(ctx, s, fmt.Sprintf("shot-%d", round))
	if err != nil {
		return err
	}
	side.snapshot = append(side.snapshot, snap.took)
	side.stall = append(side.stall, snap.stall)
	side.held = append(side.held, snap.held)
	if err := bench.WaitClean(ctx, b.pool); err != nil {
		return err
	}
	back, err := measureRestore(ctx, s, fmt.Sprintf("back-%d", round), ours)
	if err != nil {
		return err
	}
	side.restore = append(side.restore, back.took)
	side.failed += back.failed
	side.requests += back.requests
	side.longest = max(side.longest, back.longest)
	fmt.Fprintf(os.Stderr, "  round %d of %d: %-8s snapshot %.2fs, writes blocked %.2fs; restore %.2fs, %d of %d requests failed\n",
		round+1, b.rounds, s.Label(), snap.took.Seconds(), snap.stall.Seconds(), back.took.Seconds(), back.failed, back.requests)
	return nil
}

// figure is one row of what is measured.
type figure struct {
	took, stall, held, longest time.Duration
	failed, requests           int
}
