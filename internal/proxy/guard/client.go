package guard

import (
	"context"
	"encoding/binary"
	"net/http"
	"net/netip"
	"strings"
)

// clientKey is what counts as one client: an IPv4 address, or an IPv6 network of 64 bits.
type clientKey struct{ hi, lo uint64 }

func keyOf(addr netip.Addr) clientKey {
	addr = addr.Unmap()
	if addr.Is4() {
		b := addr.As4()
		return clientKey{lo: 0xffff<<32 | uint64(binary.BigEndian.Uint32(b[:]))} // ::ffff:a.b.c.d
	}
	b := addr.As16() // zeros for no address
	return clientKey{hi: binary.BigEndian.Uint64(b[:8])}
}

type connKey struct{}

// connOf gives the connection that a request came over, or nil for one that is not a Listener's.
func connOf(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

// Peer gives the address that r's connection comes from (as the PROXY protocol says, where it is
// spoken), without zone and never IPv4 written as IPv6. It is invalid where it is not known.
func Peer(r *http.Request) netip.Addr {
	if c := connOf(r.Context()); c != nil {
		return c.addr
	}
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// ClientOf gives the address of the client that made r. It is the peer; where the peer is in
// trusted, it is the last address in X-Forwarded-For that is not in trusted as well. Whatever
// stands before something that is no address is not believed.
func ClientOf(r *http.Request, trusted Prefixes) netip.Addr {
	addr := Peer(r)
	if !trusted.Contains(addr) {
		return addr
	}
	values := r.Header["X-Forwarded-For"]
	for i := len(values) - 1; i >= 0; i-- {
		for rest, more := values[i], true; more; {
			var part string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, part = rest[:comma], rest[comma+1:]
			} else {
				rest, part, more = "", rest, false
			}
			next, ok := parseNode(strings.Trim(part, " \t"))
			if !ok {
				return addr
			}
			if addr = next; !trusted.Contains(addr) {
				return addr
			}
		}
	}
	return addr
}

// parseNode reads an address as proxies write it, some of them with a port.
func parseNode(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = ap.Addr()
	}
	return addr.Unmap().WithZone(""), true
}
