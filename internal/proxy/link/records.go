package link

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Records is where the controller keeps which proxies there are. Errors are fleet errors.
type Records interface {
	Proxies(ctx context.Context) ([]fleet.Proxy, error)
	AddProxyToken(ctx context.Context, t fleet.ProxyToken) error
	// JoinProxy uses up the token with the hash and adds p, in one step. It is of code Forbidden
	// where there is no such token, or it has ended or is for another name; Taken where the
	// name is, and then the token is still good.
	JoinProxy(ctx context.Context, hash string, p fleet.Proxy) error
	// RemoveProxy is of code NotFound where there is none.
	RemoveProxy(ctx context.Context, name string) error
	// SaveProxySeen notes where and when a proxy was seen. One that is gone is no error.
	SaveProxySeen(ctx context.Context, p fleet.Proxy) error
	// ProxyAuthority gives the fleet's authority; fresh becomes it where there is none.
	ProxyAuthority(ctx context.Context, fresh []byte) ([]byte, error)
}

// Router is where routes and holds are put to use; proxy.Router is one.
type Router interface {
	Publish(routes []fleet.Route) int64
	Hold(tenant fleet.Name, reason string)
	Resume(tenant fleet.Name, reason string)
	Drain(ctx context.Context, tenant fleet.Name) error
}

// DefaultLease is how long the controller waits for a proxy that is silent before it goes on
// without it, and how long either side waits before it takes the connection for dead.
const DefaultLease = 10 * time.Second
