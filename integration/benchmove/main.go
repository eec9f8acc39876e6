// Command benchmove measures moves of a WordPress tenant between members while it is visited and
// written to, beside `lxc stop`, `lxc move` and `lxc start` of an equal instance, for tenants of
// several sizes; and the drain of a member beside the same commands, one instance after the other.
// Both run in turns in one run; figures are medians. After each move every row is checked.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/lxdfleet/lxdfleet/integration/bench"
	"github.com/lxdfleet/lxdfleet/internal/migration"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmove:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var (
		rounds  = flag.Int("rounds", 5, "measure each case so many times")
		extra   = flag.String("add", "0,1300,3300", "MiB that are added to the golden image, a size each; \"\": no such tenant is moved")
		many    = flag.Int("tenants", 12, "small tenants on the member that is drained; 0: none is")
		atOnce  = flag.Int("at-once", migration.DefaultAtOnce, "how many of them a drain moves at a time")
		socket  = flag.String("socket", "", "unix socket of the lxdfleet daemon")
		https   = flag.String("https", "127.0.0.1:443", "address of its HTTPS proxy")
		ca      = flag.String("ca", "", "file with its certificate authority")
		project = flag.String("project", "lxdfleet", "its LXD project")
		image   = flag.String("image", "wordpress", "golden image")
		tiny    = flag.String("tiny", "tiny", "golden image of the small tenants")
		write   = flag.String("write-tiny", "", "only write that image to a file")
		plan    = flag.String("plan", "medium", "plan")
		members = flag.String("members", "n1,n2", "members to move between; the first is drained")
		device  = flag.String("device", "", "how the network device that leads to a member is called, without the member's name")
		gate    = flag.Bool("gate", true, "exit 1 where a target is missed")
	)
	flag.Parse()
	if *write != "" {
		return writeTiny(*write)
	}
	sizes, err := readSizes(*extra)
	if err != nil {
		return err
	}
	daemon, err := bench.OpenFleet(*socket, *https, *ca)
	if err != nil {
		return err
	}
	b := &benchmark{
		daemon: daemon, lxc: bench.LXC{Project: *project}, image: *image, tiny: *tiny, plan: *plan,
		members: strings.Split(*members, ","), wire: wire{prefix: *device},
		rounds: *rounds, tenants: *many, atOnce: *atOnce,
	}
	r := &report{rounds: *rounds}
	for _, mib := range sizes {
		s, err := b.size(ctx, mib)
		if err != nil {
			return err
		}
		r.sizes = append(r.sizes, s)
	}
	if *many > 0 {
		if r.drain, err = b.drain(ctx); err != nil {
			return err
		}
	}
	if met := r.print(os.Stdout); !met && *gate {
		return fmt.Errorf("a target is missed")
	}
	return nil
}
