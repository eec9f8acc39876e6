package guard

import (
	"encoding/binary"
	"net/netip"
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
