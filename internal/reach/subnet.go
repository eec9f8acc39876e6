package reach

import (
	"cmp"
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// subnetTime is how long what a member said of its network's subnets is good for.
const subnetTime = 10 * time.Minute

// subnets are those of the members' networks that LXD does not manage, as the members have them.
type subnets struct {
	mu    sync.Mutex
	known map[link]subnet
}

type (
	link struct{ network, member string }

	subnet struct {
		prefixes []netip.Prefix
		until    time.Time
	}
)

// subnets gives those that the instance's network has where the instance is, each with the member's own
// address in it; none: it is not known.
func (r *Reach) subnets(ctx context.Context, p plan, c card) []netip.Prefix {
	n, _ := p.around.named(c.network)
	if isBridge(n) {
		if nets := append(prefixes(n.Config["ipv4.address"]), prefixes(n.Config["ipv6.address"])...); len(nets) > 0 {
			return nets
		}
	}
	if p.way != Direct || n.Type == "ovn" {
		return nil
	}
	return r.subnetsAt(ctx, link{cmp.Or(n.Config["parent"], c.network), c.member})
}

// subnetsAt asks a member, now and then.
func (r *Reach) subnetsAt(ctx context.Context, at link) []netip.Prefix {
	if at.network == "" {
		return nil
	}
	r.bridges.mu.Lock()
	now := r.bridges.known[at]
	r.bridges.mu.Unlock()
	if time.Now().Before(now.until) {
		return now.prefixes
	}
	// Not under the lock: a member that does not answer must not keep those of others waiting.
	found, err := r.lxd.Subnets(ctx, at.network, at.member)
	switch {
	case err == nil:
		now = subnet{found, time.Now().Add(subnetTime)}
	case fleet.CodeOf(err) == fleet.NotFound:
		now = subnet{nil, time.Now().Add(subnetTime)}
	default: // what was known before is good for another while
		r.log.Debug("the subnets of a network cannot be read", "network", at.network, "member", at.member, "error", err)
		now.until = time.Now().Add(10 * time.Second)
	}
	r.bridges.mu.Lock()
	defer r.bridges.mu.Unlock()
	if r.bridges.known == nil {
		r.bridges.known = map[link]subnet{}
	}
	if ctx.Err() == nil {
		r.bridges.known[at] = now
	}
	return now.prefixes
}
