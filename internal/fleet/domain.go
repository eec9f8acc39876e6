package fleet

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Domain is a host name a tenant is served at, in its ASCII form (A-labels), lower case,
// without a final dot and without a port.
type Domain string

// ParseDomain checks s and brings it to the form of a Domain; international names become
// A-labels (IDNA 2008 as browsers apply it, UTS 46). The error is of code Invalid and field
// "domain".
func ParseDomain(s string) (Domain, error) {
	bad := func(why, hint string) (Domain, error) {
		return "", Errorf(Invalid, "%q is not a domain: %s", s, why).WithField("domain").WithHint("%s", hint)
	}
	t := strings.TrimSuffix(strings.TrimSpace(s), ".")
	if !utf8.ValidString(t) {
		return bad("it is not UTF-8 text", "give a host name such as www.client.example")
	}
	if t == "" {
		return bad("it is empty", "give a host name such as www.client.example")
	}
	if strings.Contains(t, "://") || strings.ContainsAny(t, "/:@") {
		return bad("it has a scheme, port or path", "give the bare host name, such as www.client.example")
	}
	if _, err := netip.ParseAddr(t); err == nil {
		return bad("it is an address", "give a host name; several tenants share one address")
	}
	a, err := idna.Lookup.ToASCII(t)
	if err != nil {
		return bad(strings.TrimPrefix(err.Error(), "idna: "), "use letters, digits and hyphens between dots")
	}
	a = strings.ToLower(a)
	if len(a) > 253 {
		return bad("it is longer than 253 characters", "shorten it")
	}
	for label := range strings.SplitSeq(a, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return bad("the label "+label+" is not well formed", "use 1 to 63 letters, digits and hyphens between dots")
		}
	}
	if _, err := netip.ParseAddr(a); err == nil { // full-width digits fold into an address
		return bad("it is an address", "give a host name; several tenants share one address")
	}
	return Domain(a), nil
}

// ParseDomainPattern checks s as ParseDomain does, and also takes a wildcard: "*." before a
// domain stands for every host with one label more. Errors as of ParseDomain.
func ParseDomainPattern(s string) (Domain, error) {
	base, wildcard := strings.CutPrefix(strings.TrimSpace(s), "*.")
	d, err := ParseDomain(base)
	if err != nil || !wildcard {
		return d, err
	}
	if len(d)+2 > 253 {
		return "", Errorf(Invalid, "%q is not a domain: it is longer than 253 characters", s).WithField("domain").WithHint("shorten it")
	}
	return "*." + d, nil
}

func (d Domain) String() string { return string(d) }

// Wildcard reports whether d stands for every host one label below its base.
func (d Domain) Wildcard() bool { return strings.HasPrefix(string(d), "*.") }

// Base is d without the "*." of a wildcard.
func (d Domain) Base() Domain { return Domain(strings.TrimPrefix(string(d), "*.")) }

// Parent is d without its first label; empty where it has one label only.
func (d Domain) Parent() Domain {
	_, parent, _ := strings.Cut(string(d), ".")
	return Domain(parent)
}

// Under reports whether d is below parent, which is no wildcard, by one label or more.
func (d Domain) Under(parent Domain) bool {
	return parent != "" && strings.HasSuffix(string(d), "."+string(parent))
}

// Unicode is the form in which people write an international name; d itself where it is none.
func (d Domain) Unicode() string {
	u, err := idna.Display.ToUnicode(string(d.Base()))
	if err != nil {
		return string(d)
	}
	return strings.TrimSuffix(string(d), string(d.Base())) + u
}

// URL is the address people reach d at over HTTPS, where the proxy is reached at port. It ends
// without a slash.
func (d Domain) URL(port int) string { return "https://" + d.Authority(port) }

// Authority is d as browsers send it in Host where the proxy is reached at port: the port is
// left out when it is 443, or 0 for a fleet without a proxy.
func (d Domain) Authority(port int) string {
	if port == 443 || port == 0 {
		return d.String()
	}
	return net.JoinHostPort(d.String(), strconv.Itoa(port))
}
