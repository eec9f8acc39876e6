package apifake

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Proxies are two: one is connected, one is not.
type Proxies struct{ fleet *Fleet }

// Proxies implements api.Proxies.
func (p *Proxies) Proxies() []fleet.ProxyStatus {
	_ = p.fleet.called("Proxies")
	return []fleet.ProxyStatus{
		{
			Proxy: fleet.Proxy{
				Name: "edge-1", ID: "1", JoinedAt: Now.Add(-48 * time.Hour), SeenAt: Now.Add(-time.Hour), Address: "10.0.0.5", Version: "1.2.3",
			},
			Connected: true, Since: Now.Add(-time.Hour), Generation: 17, Newest: 17,
		},
		{
			Proxy:      fleet.Proxy{Name: "edge-2", ID: "2", JoinedAt: Now.Add(-24 * time.Hour), SeenAt: Now.Add(-90 * time.Second), Address: "10.0.0.6", Version: "1.2.2"},
			Since:      Now.Add(-90 * time.Second),
			Generation: 15, Newest: 17, Lag: 1500 * time.Millisecond,
		},
	}
}

// Remove implements api.Proxies.
func (p *Proxies) Remove(_ context.Context, name string) error {
	if err := p.fleet.called("RemoveProxy", name); err != nil {
		return err
	}
	if name != "edge-1" && name != "edge-2" {
		return fleet.Errorf(fleet.NotFound, "there is no proxy %s", name).WithField("name").WithHint("see them with `lxdfleet proxy list`")
	}
	return nil
}

// Token implements api.Proxies.
func (p *Proxies) Token(_ context.Context, name string, ttl time.Duration) (api.ProxyTicket, error) {
	return api.ProxyTicket{Token: "lxdfleet-c2VjcmV0", Controller: "https://ctl.example:8444", ExpiresAt: Now.Add(ttl)}, p.fleet.called("ProxyToken", name, ttl)
}
