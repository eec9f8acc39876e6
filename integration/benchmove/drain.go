package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/bench"
	"github.com/lxdfleet/lxdfleet/integration/tiny"
)

// writeTiny writes the golden image of the small tenants.
func writeTiny(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := tiny.Write(file, "benchmove"); err != nil {
		return err
	}
	return file.Close()
}

// drained is how long it took to empty a member, in each round.
type drained struct {
	tenants, atOnce int
	lxc, fleet      []time.Duration
}

// drain empties a member of small tenants, and moves as many equal instances away from it one
// after the other with lxc.
func (b *benchmark) drain(ctx context.Context) (drained, error) {
	d := drained{tenants: b.tenants, atOnce: b.atOnce}
	defer b.removeSmall(context.WithoutCancel(ctx))
	b.removeSmall(ctx) // of a run that was broken off
	if err := b.createSmall(ctx); err != nil {
		return d, err
	}
	for round := range b.rounds {
		turns := []func(context.Context, int) (time.Duration, error){b.drainBare, b.drainFleet}
		sides := []*[]time.Duration{&d.lxc, &d.fleet}
		if round%2 == 1 {
			slices.Reverse(turns)
			slices.Reverse(sides)
		}
		for i, turn := range turns {
			took, err := turn(ctx, round)
			if err != nil {
				return d, err
			}
			*sides[i] = append(*sides[i], took)
		}
		fmt.Fprintf(os.Stderr, "  drain, round %d of %d: lxc %.2fs, lxdfleet %.2fs\n",
			round+1, b.rounds, d.lxc[round].Seconds(), d.fleet[round].Seconds())
	}
	return d, nil
}

func smallBare(n int) string   { return "bench-bare-" + strconv.Itoa(n) }
func smallTenant(n int) string { return "bench-tenant-" + strconv.Itoa(n) }

func (b *benchmark) createSmall(ctx context.Context) error {
	for n := range b.tenants {
		if _, err := b.lxc.Run(ctx, "launch", b.tiny, smallBare(n), "--profile", "default", "--profile", "small",
			"--target", b.members[0]); err != nil {
			return err
		}
		if err := b.small(n).Create(ctx, b.members[0]); err != nil {
			return err
		}
	}
	return nil
}

func (b *benchmark) small(n int) *bench.Tenant {
	return &bench.Tenant{LXC: b.lxc, Daemon: b.daemon, Tenant: smallTenant(n), Image: b.tiny, Plan: "small"}
}

func (b *benchmark) removeSmall(ctx context.Context) {
	for n := range b.tenants {
		_, _ = b.lxc.Run(ctx, "delete", "--force", smallBare(n)) // it may never have come to be
		b.small(n).Remove(ctx)
	}
}

// drainBare moves the instances to and fro.
func (b *benchmark) drainBare(ctx context.Context, round int) (time.Duration, error) {
	start := time.Now()
	for n := range b.tenants {
		if _, err := moveBare(ctx, b.lxc, smallBare(n), b.members[(round+1)%2]); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// drainFleet drains the member, and has its tenants come back; only the first is timed.
func (b *benchmark) drainFleet(ctx context.Context, _ int) (time.Duration, error) {
	member := "/v1/members/" + b.members[0]
	start := time.Now()
	if err := b.daemon.Do(ctx, http.MethodPost, member+"/drain", map[string]any{"at_once": b.atOnce}); err != nil {
		return 0, err
	}
	took := time.Since(start)
	for n := range b.tenants {
		if err := b.small(n).Page(ctx); err == nil {
			continue
		}
		return took, fmt.Errorf("%s has no page after the drain", smallTenant(n))
	}
	return took, b.daemon.Do(ctx, http.MethodPost, member+"/restore", map[string]any{"at_once": b.atOnce})
}
