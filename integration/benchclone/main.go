// Command benchclone measures how long a new tenant takes from the API call to its first
// good page over HTTPS, against the floor: bare lxc doing the same with the same image, the
// same profiles and the same personalise hook, its page fetched from the instance directly.
// Both run in turns in one run; figures are medians.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchclone:", err)
		os.Exit(1)
	}
}

// subject makes one instance that serves a good page, and removes it again.
type subject interface {
	create(ctx context.Context, name string) error
	remove(ctx context.Context, name string) error
}

func run(ctx context.Context) error {
	var (
		rounds  = flag.Int("rounds", 5, "measure each case so many times")
		many    = flag.Int("many", 20, "tenants at once in the second case")
		socket  = flag.String("socket", "", "unix socket of the lxdfleet daemon")
		https   = flag.String("https", "127.0.0.1:443", "address of its HTTPS proxy")
		ca      = flag.String("ca", "", "file with its certificate authority")
		project = flag.String("project", "lxdfleet", "its LXD project")
		image   = flag.String("image", "wordpress", "golden image")
		plan    = flag.String("plan", "small", "plan")
		pid     = flag.Int("pid", 0, "the daemon's process, whose memory is told")
		settle  = flag.String("settle", "", "path of the btrfs pool whose clean-up is waited for before each turn")
		gate    = flag.Bool("gate", true, "exit 1 where a ratio is over its target")
	)
	flag.Parse()
	daemon, err := bench.OpenFleet(*socket, *https, *ca)
	if err != nil {
		return err
	}
	ours := &lxdfleet{fleet: daemon, image: *image, plan: *plan}
	bare, err := newLXC(ctx, *project, *image, *plan)
	if err != nil {
		return err
	}
	fmt.Printf("floor: %s, start, hook by lxc exec, page from the instance\n\n", bare.way)
	fmt.Printf("%-16s %10s %10s %8s %8s\n", "tenants at once", "lxc", "lxdfleet", "ratio", "target")
	failed := false
	for _, c := range []struct {
		at     int
		target float64
	}{{1, 1.25}, {*many, 1.10}} {
		ratio, err := compare(ctx, bare, ours, c.at, *rounds, c.target, *pid, *settle)
		if err != nil {
			return err
		}
		failed = failed || ratio > c.target
	}
	if failed && *gate {
		return fmt.Errorf("a ratio is over its target")
	}
	return nil
}

func compare(ctx context.Context, bare, ours subject, at, rounds int, target float64, pid int, settle string) (float64, error) {
	var floor, times []time.Duration
	for round := range rounds {
		// Turns alternate, so that a slow spell of the machine hits both.
		pair := []struct {
			name string
			s    subject
			list *[]time.Duration
		}{{"lxc", bare, &floor}, {"lxdfleet", ours, &times}}
		if round%2 == 1 {
			slices.Reverse(pair)
		}
		for _, p := range pair {
			if err := bench.WaitClean(ctx, settle); err != nil {
				return 0, err
			}
			before := busy()
			took, err := measure(ctx, p.s, at, round, p.s == ours, pid, func() { before = busy() - before })
			if err != nil {
				return 0, err
			}
			*p.list = append(*p.list, took)
			fmt.Fprintf(os.Stderr, "  %d at once, round %d of %d: %s %.2fs, %.1f s of processor time\n",
				at, round+1, rounds, p.name, took.Seconds(), before.Seconds())
		}
	}
	ratio := float64(bench.Median(times)) / float64(bench.Median(floor))
	fmt.Printf("%-16d %9.2fs %9.2fs %8.2f %8.2f   lxc %s, lxdfleet %s\n", at,
		bench.Median(floor).Seconds(), bench.Median(times).Seconds(), ratio, target, bench.Seconds(floor), bench.Seconds(times))
	return ratio, nil
}

// measure makes so many at once and gives the time until the last serves.
func measure(ctx context.Context, s subject, at, round int, ours bool, pid int, served func()) (time.Duration, error) {
	names, kind := make([]string, at), "lxc"
	if ours {
		kind = "fleet"
	}
	for i := range names {
		names[i] = fmt.Sprintf("bench-%s-%d-%d", kind, round, i)
	}
	start := time.Now()
	err := each(names, func(name string) error { return s.create(ctx, name) })
	took := time.Since(start)
	served()
	if err == nil && ours && pid != 0 && at > 1 && round == 0 {
		if err := bench.Sleep(ctx, 10*time.Second); err != nil {
			return 0, err
		}
		fmt.Printf("  (daemon idle with %d tenants: %s)\n", at, resident(pid))
	}
	if cleanup := each(names, func(name string) error { return s.remove(context.WithoutCancel(ctx), name) }); err == nil {
		err = cleanup
	}
	return took, err
}

// each calls f for all names at once and gives the first error.
func each(names []string, f func(string) error) error {
	errs := make([]error, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() { errs[i] = f(name) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
