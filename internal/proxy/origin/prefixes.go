package origin

import (
	"net/netip"
	"slices"
)

// Prefixes is a set of networks. A lookup takes one map read for each length among them, however
// many there are. The zero value is empty. It never changes once made.
type Prefixes struct {
	four, six []int // lengths of IPv4 and IPv6 networks
	all       map[netip.Prefix]struct{}
}

// NewPrefixes makes a set. Invalid ones are left out.
func NewPrefixes(list []netip.Prefix) Prefixes {
	p := Prefixes{all: make(map[netip.Prefix]struct{}, len(list))}
	for _, prefix := range list {
		if !prefix.IsValid() {
			continue
		}
		prefix = prefix.Masked()
		p.all[prefix] = struct{}{}
		lengths := &p.four
		if prefix.Addr().Is6() {
			lengths = &p.six
		}
		if !slices.Contains(*lengths, prefix.Bits()) {
			*lengths = append(*lengths, prefix.Bits())
		}
	}
	return p
}

// Empty reports whether there is no network in the set.
func (p Prefixes) Empty() bool { return len(p.all) == 0 }

// Contains reports whether addr is in one of the networks. It allocates nothing.
func (p Prefixes) Contains(addr netip.Addr) bool {
	if len(p.all) == 0 || !addr.IsValid() {
		return false
	}
	addr = addr.Unmap().WithZone("")
	lengths := p.four
	if addr.Is6() {
		lengths = p.six
	}
	for _, bits := range lengths {
		prefix, err := addr.Prefix(bits)
		if err != nil {
			continue
		}
		if _, ok := p.all[prefix]; ok {
			return true
		}
	}
	return false
}
