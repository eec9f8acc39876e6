package fleet

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// GuardRules are what the proxy allows a tenant's visitors. The zero value of each field sets
// no limit of its own: the proxy's general one holds.
type GuardRules struct {
	// Allow, where it is not empty, names the only addresses that are let in; Deny names those
	// that are not. An address in both is not let in.
	Allow []netip.Prefix `json:"allow,omitempty"`
	Deny  []netip.Prefix `json:"deny,omitempty"`

	// RequestsPerSecond is the tenant's rate over time; Burst is how many may come at once
	// (0: one second's worth, at least one).
	RequestsPerSecond float64 `json:"requests_per_second,omitempty"`
	Burst             int     `json:"burst,omitempty"`
	// PerAddressPerSecond and PerAddressBurst are the same for each client address, an IPv6
	// network of 64 bits being one address.
	PerAddressPerSecond float64 `json:"per_address_per_second,omitempty"`
	PerAddressBurst     int     `json:"per_address_burst,omitempty"`
	// MaxInflight is how many requests may be with the tenant, or held for it, at once.
	MaxInflight int `json:"max_in_flight,omitempty"`
	// MaxBody is the largest body of a request.
	MaxBody Size `json:"max_body,omitempty"`

	// HSTS tells browsers to come by HTTPS only; nil: nothing is said.
	HSTS *HSTS `json:"hsts,omitempty"`
	// SecurityHeaders adds headers that are safe for common applications, where the tenant's
	// answer has none of its own.
	SecurityHeaders bool `json:"security_headers,omitempty"`
}

const (
	// maxPrefixes bounds each list, because every proxy keeps it in memory and LXD with the
	// instance.
	maxPrefixes = 256
	maxRate     = 1e6 // requests per second
)

// ParsePrefix reads a network such as 203.0.113.0/24 or 2001:db8::/32, or one address. An IPv4
// one written as IPv6 becomes IPv4. The error is of code Invalid and field "prefix".
func ParsePrefix(s string) (netip.Prefix, error) {
	bad := func(why, hint string) (netip.Prefix, error) {
		return netip.Prefix{}, Errorf(Invalid, "%q is not a network: %s", s, why).WithField("prefix").WithHint("%s", hint)
	}
	const form = "write it as 203.0.113.0/24, 2001:db8::/32 or a single address"
	t := strings.TrimSpace(s)
	if !strings.Contains(t, "/") {
		addr, err := netip.ParseAddr(t)
		if err != nil {
			return bad("it is no address", form)
		}
		addr = addr.Unmap()
		if addr.Zone() != "" {
			return bad("it has a zone", "leave out the part from %")
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(t)
	if err != nil {
		return bad("it is no address and length", form)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return bad("it is an IPv4 address with the length of an IPv6 network", form)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p.Masked() != p {
		return bad("it has bits beyond its length", "did you mean "+p.Masked().String()+"?")
	}
	return p, nil
}

// ParsePrefixes reads a list as ParsePrefix does, sorts it and drops what is there twice. field
// names it in errors.
func ParsePrefixes(field string, list []string) ([]netip.Prefix, error) {
	if len(list) > maxPrefixes {
		return nil, Errorf(Invalid, "%d networks are more than the %d that may be listed", len(list), maxPrefixes).
			WithField(field).WithHint("name larger networks, or keep the list in a firewall")
	}
	var all []netip.Prefix
	for _, s := range list {
		p, err := ParsePrefix(s)
		if err != nil {
			return nil, fieldOf(err, field)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return slices.Compact(all), nil
}

func fieldOf(err error, field string) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.WithField(field)
	}
	return err
}

// Validate checks the rules. Errors are of code Invalid and name the field as JSON does.
func (g GuardRules) Validate() error {
	for _, list := range []struct {
		field    string
		prefixes []netip.Prefix
	}{{"allow", g.Allow}, {"deny", g.Deny}} {
		if err := validPrefixes(list.field, list.prefixes); err != nil {
			return err
		}
	}
	for _, n := range []struct {
		field string
		value float64
		most  float64
	}{
		{"requests_per_second", g.RequestsPerSecond, maxRate},
		{"burst", float64(g.Burst), maxRate},
		{"per_address_per_second", g.PerAddressPerSecond, maxRate},
		{"per_address_burst", float64(g.PerAddressBurst), maxRate},
		{"max_in_flight", float64(g.MaxInflight), maxRate},
		{"max_body", float64(g.MaxBody), math.MaxInt64},
	} {
		if n.value < 0 || n.value > n.most || math.IsNaN(n.value) {
			return Errorf(Invalid, "%v is not between 0 and %v", n.value, n.most).WithField(n.field).
				WithHint("0 means the proxy's general limit")
		}
	}
	for _, b := range []struct {
		field, rate string
		burst       int
		perSecond   float64
	}{
		{"burst", "requests_per_second", g.Burst, g.RequestsPerSecond},
		{"per_address_burst", "per_address_per_second", g.PerAddressBurst, g.PerAddressPerSecond},
	} {
		if b.burst > 0 && b.perSecond == 0 {
			return Errorf(Invalid, "a burst means nothing without a rate").WithField(b.field).WithHint("set %s too", b.rate)
		}
		if b.perSecond > 0 && b.perSecond < 0.001 {
			return Errorf(Invalid, "%v is less than one request in 1,000 seconds", b.perSecond).WithField(b.rate).
				WithHint("use an allow-list to keep people out")
		}
	}
	return g.HSTS.validate()
}

func validPrefixes(field string, list []netip.Prefix) error {
	if len(list) > maxPrefixes {
		return Errorf(Invalid, "%d networks are more than the %d that may be listed", len(list), maxPrefixes).
			WithField(field).WithHint("name larger networks, or keep the list in a firewall")
	}
	for _, p := range list {
		if !p.IsValid() {
			return Errorf(Invalid, "an empty network is in the list").WithField(field).WithHint("leave it out")
		}
		if _, err := ParsePrefix(p.String()); err != nil {
			return fieldOf(err, field)
		}
	}
	return nil
}

// Equal reports whether both say the same.
func (g GuardRules) Equal(o GuardRules) bool {
	same := slices.Equal(g.Allow, o.Allow) && slices.Equal(g.Deny, o.Deny) &&
		(g.HSTS == o.HSTS || g.HSTS != nil && o.HSTS != nil && *g.HSTS == *o.HSTS)
	return same && g.RequestsPerSecond == o.RequestsPerSecond && g.Burst == o.Burst &&
		g.PerAddressPerSecond == o.PerAddressPerSecond && g.PerAddressBurst == o.PerAddressBurst &&
		g.MaxInflight == o.MaxInflight && g.MaxBody == o.MaxBody && g.SecurityHeaders == o.SecurityHeaders
}

// Empty reports whether nothing is said.
func (g GuardRules) Empty() bool { return g.Equal(GuardRules{}) }

func (g *GuardRules) same(o *GuardRules) bool {
	return g == o || g != nil && o != nil && g.Equal(*o)
}
