package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/bench"
	fleetwords "github.com/lxdfleet/lxdfleet/internal/fleet"
)

// bare is an instance that is driven by the commands a person would type. Its load goes to it
// directly.
type bare struct {
	bench.LXC
	image, plan string
	address     string
}

const (
	bareName   = "bench-bare"
	bareDomain = bareName + ".localhost"
)

func (b *bare) label() string { return "lxc" }
func (b *bare) name() string  { return bareName }

func (b *bare) create(ctx context.Context) error {
	if _, err := b.Run(ctx, "launch", b.image, bareName, "--profile", "default", "--profile", b.plan); err != nil {
		return err
	}
	out, err := b.Exec(ctx, bareName, "--env", "LXDFLEET_TENANT="+bareName, "--env", "LXDFLEET_DOMAIN="+bareDomain,
		"--env", "LXDFLEET_DOMAINS="+bareDomain, "--env", "LXDFLEET_URL=https://"+bareDomain, "--",
		"sh", "-c", fleetwords.HookDir+"/personalize >/dev/null && until ip -4 -o addr show dev eth0 scope global | grep inet; do sleep 0.05; done")
	if err != nil {
		return err
	}
	fields := strings.Fields(out)
	if len(fields) < 4 {
		return fmt.Errorf("no address in %q", out)
	}
	b.address, _, _ = strings.Cut(fields[3], "/")
	return b.page(ctx)
}

func (b *bare) page(ctx context.Context) error {
	url, client := b.site()
	return bench.PollPage(ctx, client, url+"/", bareDomain)
}

func (b *bare) remove(ctx context.Context) {
	_, _ = b.Run(ctx, "delete", "--force", bareName) // it may never have come to be
}

func (b *bare) snapshot(ctx context.Context, name string) (time.Duration, error) {
	_, err := b.Run(ctx, "snapshot", bareName, name)
	return 0, err
}

func (b *bare) forget(ctx context.Context, name string) error {
	_, err := b.Run(ctx, "delete", bareName+"/"+name)
	return err
}

// restore stops the instance, restores it and starts it: lxc restore does all three.
func (b *bare) restore(ctx context.Context, name string) error {
	if _, err := b.Run(ctx, "restore", bareName, name); err != nil {
		return err
	}
	return b.page(ctx)
}

func (b *bare) site() (string, *http.Client) {
	return "http://" + b.address, &http.Client{Transport: asProxy{http.DefaultTransport}, Timeout: 5 * time.Second}
}

// asProxy makes requests look as a proxy's in front of the instance would.
type asProxy struct{ next http.RoundTripper }

func (a asProxy) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Host = bareDomain
	req.Header.Set("X-Forwarded-Proto", "https")
	return a.next.RoundTrip(req)
}
