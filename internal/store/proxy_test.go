package store

import (
	"fmt"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func aProxy(name string) fleet.Proxy {
	return fleet.Proxy{Name: name, ID: "id-" + name, JoinedAt: at(10)}
}

func testProxy(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	same(t, "none", len(must(s.Proxies(ctx))(t)), 0)
	token := func(hash, name string) fleet.ProxyToken {
		return fleet.ProxyToken{Hash: hash, Name: name, CreatedAt: at(1), ExpiresAt: at(100)}
	}
	ok(t, s.AddProxyToken(ctx, token("any", "")))
	ok(t, s.AddProxyToken(ctx, token("bound", "edge-2")))
	ended := token("ended", "")
	ended.ExpiresAt = at(10)
	ok(t, s.AddProxyToken(ctx, ended))

	for hash, name := range map[string]string{"ended": "edge-1", "never made": "edge-1", "bound": "edge-1"} {
		fails(t, s.JoinProxy(ctx, hash, aProxy(name)), fleet.Forbidden, "token")
	}
	ok(t, s.JoinProxy(ctx, "any", aProxy("edge-1")))
	fails(t, s.JoinProxy(ctx, "any", aProxy("edge-3")), fleet.Forbidden, "token")
	ok(t, s.AddProxyToken(ctx, token("more", "")))
	fails(t, s.JoinProxy(ctx, "more", aProxy("edge-1")), fleet.Taken, "name", "edge-1")
	ok(t, s.JoinProxy(ctx, "more", aProxy("edge-3"))) // it was not used up
	ok(t, s.JoinProxy(ctx, "bound", aProxy("edge-2")))

	seen := aProxy("edge-1")
	seen.SeenAt, seen.Address, seen.Version = at(20), "10.0.0.5", "1.2.3"
	ok(t, s.SaveProxySeen(ctx, seen))
	stranger := seen
	stranger.ID, stranger.Address = "another", "10.6.6.6"
	ok(t, s.SaveProxySeen(ctx, stranger))
	same(t, "all", must(s.Proxies(ctx))(t), []fleet.Proxy{seen, aProxy("edge-2"), aProxy("edge-3")})

	ok(t, s.RemoveProxy(ctx, "edge-1"))
	fails(t, s.RemoveProxy(ctx, "edge-1"), fleet.NotFound, "name", "edge-1")
	ok(t, s.SaveProxySeen(ctx, seen))
	same(t, "left", len(must(s.Proxies(ctx))(t)), 2)
}

// Of many that join with one token at the same time one does, and of many daemons that start on
// an empty database all come to one authority.
func testProxyConcurrent(t *testing.T, db database) {
	dsn := db(t)
	stores := []*Store{openAt(t, dsn), openAt(t, dsn)}
	ctx := t.Context()
	ok(t, stores[0].AddProxyToken(ctx, fleet.ProxyToken{Hash: "one", CreatedAt: at(1), ExpiresAt: at(100)}))
	joined := race(t, 8, fleet.Forbidden, func(i int) error {
		return stores[i%2].JoinProxy(ctx, "one", aProxy(fmt.Sprint("edge-", i)))
	})
	same(t, "joined", joined, 1)
	same(t, "kept", len(must(stores[0].Proxies(ctx))(t)), 1)

	got := make([]string, 8)
	race(t, 8, "", func(i int) error {
		pem, err := stores[i%2].ProxyAuthority(ctx, fmt.Append(nil, "authority ", i))
		got[i] = string(pem)
		return err
	})
	for _, pem := range got {
		same(t, "authority", pem, got[0])
	}
}
