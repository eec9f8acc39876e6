package bench

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Bare is a WordPress instance that is driven by the commands a person would type. Its requests
// go to it directly.
type Bare struct {
	LXC
	Instance, Image, Plan string
	// Timeout is how long a request waits for its answer.
	Timeout time.Duration

	address string
}

// Label is how it is called in tables.
func (b *Bare) Label() string { return "lxc" }

// Name of its instance.
func (b *Bare) Name() string { return b.Instance }

func (b *Bare) domain() string { return b.Instance + ".localhost" }

// Create launches it, on any member where that is empty, and ends with its first good page.
func (b *Bare) Create(ctx context.Context, member string) error {
	launch := []string{"launch", b.Image, b.Instance, "--profile", "default", "--profile", b.Plan}
	if member != "" {
		launch = append(launch, "--target", member)
	}
	if _, err := b.Run(ctx, launch...); err != nil {
		return err
	}
	out, err := b.Exec(ctx, b.Instance, "--env", "LXDFLEET_TENANT="+b.Instance, "--env", "LXDFLEET_DOMAIN="+b.domain(),
		"--env", "LXDFLEET_DOMAINS="+b.domain(), "--env", "LXDFLEET_URL=https://"+b.domain(), "--",
		"sh", "-c", fleet.HookDir+"/personalize >/dev/null && until ip -4 -o addr show dev eth0 scope global | grep inet; do sleep 0.05; done")
	if err != nil {
		return err
	}
	fields := strings.Fields(out)
	if len(fields) < 4 {
		return fmt.Errorf("no address in %q", out)
	}
	b.address, _, _ = strings.Cut(fields[3], "/")
	return b.Page(ctx)
}

// Page waits for a good page.
func (b *Bare) Page(ctx context.Context) error {
	url, client := b.Site()
	return PollPage(ctx, client, url+"/", b.domain())
}

// Remove deletes it, if it is there.
func (b *Bare) Remove(ctx context.Context) {
	_, _ = b.Run(ctx, "delete", "--force", b.Instance) // it may never have come to be
}

// Site is where its pages are, and who fetches them.
func (b *Bare) Site() (url string, client *http.Client) {
	return "http://" + b.address, &http.Client{
		Transport: asProxy{next: http.DefaultTransport, host: b.domain()}, Timeout: b.Timeout,
	}
}

// asProxy makes requests look as a proxy's in front of the instance would.
type asProxy struct {
	next http.RoundTripper
	host string
}

func (a asProxy) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Host = a.host
	req.Header.Set("X-Forwarded-Proto", "https")
	return a.next.RoundTrip(req)
}
