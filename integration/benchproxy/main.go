// Command benchproxy measures lxdfleet's proxy beside nginx, HAProxy and Caddy: one backend, one
// load generator, one kind of certificate, each proxy alone on one core while it is measured and
// everything else on another. scripts/bench-proxy runs it; docs/performance.md says how and why.
//
// It expects to be the first process of a PID and a network namespace of its own, so that nothing
// it starts outlives it or is reached from elsewhere.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "backend" {
		fmt.Fprintln(os.Stderr, "benchproxy:", serveBackend(backendAddresses(backends)))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchproxy:", err)
		os.Exit(1)
	}
}

// backends is how many backends the hosts are spread over.
const backends = 10

// plan is what is measured.
type plan struct {
	only        []string // proxies beside ours; empty: all
	rounds      int
	requests    int
	handshakes  int
	few, many   int // routes
	workers     int // requests at the same time over HTTP/1.1
	connections int // over HTTP/1.1, all workers' together
	streams     int // at the same time in each of an eighth as many HTTP/2 connections as workers
	limit       time.Duration
}

func run(ctx context.Context) error {
	var p plan
	var (
		dir     = flag.String("dir", "", "folder for files, empty")
		front   = flag.String("front", "", "program that runs lxdfleet's proxy")
		core    = flag.Int("core", 1, "core for the proxies; this program has to run on another")
		procs   = flag.Int("procs", 1, "worker threads of each proxy")
		micro   = flag.String("micro", "", "file with what go test -bench printed")
		profile = flag.String("profile", "", "folder for CPU profiles of lxdfleet, taken in extra turns")
		before  = flag.String("before", "", "front of another build, to be measured too")
		only    = flag.String("only", "", "other proxies to measure beside lxdfleet, by commas; empty: all")
		gate    = flag.Bool("gate", true, "exit 1 where a target is missed")
	)
	flag.IntVar(&p.rounds, "rounds", 7, "turns of each proxy; figures are medians over them")
	flag.IntVar(&p.requests, "requests", 20_000, "requests of a turn")
	flag.IntVar(&p.handshakes, "handshakes", 2_000, "new connections of a turn")
	flag.IntVar(&p.few, "few", 10, "routes in the first case")
	flag.IntVar(&p.many, "many", 10_000, "routes in the second case")
	flag.IntVar(&p.workers, "workers", 32, "requests at the same time")
	flag.IntVar(&p.connections, "connections", 256, "keep-alive connections over HTTP/1.1")
	flag.IntVar(&p.streams, "streams", 4, "streams at the same time in each HTTP/2 connection")
	flag.DurationVar(&p.limit, "limit", time.Minute, "longest turn")
	flag.Parse()
	p.only = strings.FieldsFunc(*only, func(r rune) bool { return r == ',' })
	if *dir == "" || *front == "" {
		return fmt.Errorf("--dir and --front have to be set; scripts/bench-proxy does")
	}
	var beside []verdict
	if *micro != "" {
		var err error
		if beside, err = microVerdicts(*micro); err != nil {
			return err
		}
	}
	debug.SetGCPercent(1000) // this core's time is short, its memory is not
	w := &world{dir: *dir, front: *front, before: *before, procs: *procs, core: *core, backends: backendAddresses(backends)}
	b, err := newBench(ctx, w, &p)
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.measure(ctx); err != nil {
		return err
	}
	if *profile != "" {
		if err := b.profile(ctx, *profile); err != nil {
			return err
		}
	}
	if err := b.visitAll(ctx); err != nil {
		return err
	}
	b.print(os.Stdout)
	verdicts := append(b.verdicts(), beside...)
	if missed := printVerdicts(os.Stdout, verdicts); missed > 0 && *gate {
		return fmt.Errorf("%d of %d targets are missed", missed, len(verdicts))
	}
	return nil
}
