package origin

import (
	"net/http"
	"net/netip"
	"strings"
)

// Origin is who made a request, and what was asked for.
type Origin struct {
	// Peer is the other end of the connection (as the PROXY protocol says, where it is spoken).
	// Addresses here have no zone and are never IPv4 written as IPv6; they are invalid where
	// they are not known.
	Peer netip.Addr
	// Trusted says that Peer is a proxy whose headers are believed.
	Trusted bool
	// Client is Peer or, behind trusted proxies, the last address that is not one of them.
	Client netip.Addr
	// Scheme is "http" or "https", Host what the client asked for, perhaps with a port.
	Scheme, Host string
}

// Of gives the origin of a server's request. trusted tells the proxies that are believed; nil:
// none is. It allocates only for requests of trusted proxies, if at all.
func Of(r *http.Request, trusted func(netip.Addr) bool) Origin {
	o := Origin{Peer: peer(r.RemoteAddr), Scheme: "http", Host: r.Host}
	o.Client = o.Peer
	if r.TLS != nil {
		o.Scheme = "https"
	}
	if trusted == nil || !o.Peer.IsValid() || !trusted(o.Peer) {
		return o
	}
	o.Trusted = true
	if said := r.Header["X-Forwarded-For"]; len(said) > 0 {
		o.Client = walk(said, o.Peer, trusted, addressOf)
	} else if said := r.Header["Forwarded"]; len(said) > 0 {
		o.Client = walk(said, o.Peer, trusted, func(element string) (netip.Addr, bool) {
			return addressOf(parameter(element, "for"))
		})
	}
	if s := last(r.Header, "X-Forwarded-Proto", "proto"); strings.EqualFold(s, "https") {
		o.Scheme = "https"
	} else if strings.EqualFold(s, "http") {
		o.Scheme = "http"
	}
	if s := last(r.Header, "X-Forwarded-Host", "host"); s != "" {
		o.Host = s
	}
	return o
}

// peer reads the address of a connection as net/http writes it.
func peer(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return plain(ap.Addr())
}

func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// walk goes through the elements of a list header, from its end, as long as proxies are trusted.
func walk(values []string, from netip.Addr, trusted func(netip.Addr) bool, read func(string) (netip.Addr, bool)) netip.Addr {
	for i := len(values) - 1; i >= 0; i-- {
		for rest, more := values[i], true; more; {
			var element string
			rest, element, more = cutLast(rest)
			next, ok := read(element)
			if !ok {
				return from
			}
			if from = next; !trusted(from) {
				return from
			}
		}
	}
	return from
}

// cutLast takes the last element of a list.
func cutLast(list string) (before, element string, more bool) {
	if comma := strings.LastIndexByte(list, ','); comma >= 0 {
		return list[:comma], strings.Trim(list[comma+1:], " \t"), true
	}
	return "", strings.Trim(list, " \t"), false
}

// addressOf reads an address as proxies write it, some of them with brackets or a port.
func addressOf(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(s)
	if err != nil && strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		addr, err = netip.ParseAddr(s[1 : len(s)-1])
	}
	if err == nil {
		return plain(addr), true
	}
	ap, err := netip.ParseAddrPort(s)
	return plain(ap.Addr()), err == nil
}

// last gives the last word of header X-Forwarded-…, or where there is none the last element's
// parameter in Forwarded: what the nearest proxy said.
func last(h http.Header, name, param string) string {
	if values := h[name]; len(values) > 0 {
		_, element, _ := cutLast(values[len(values)-1])
		return element
	}
	if values := h["Forwarded"]; len(values) > 0 {
		_, element, _ := cutLast(values[len(values)-1])
		return parameter(element, param)
	}
	return ""
}

// parameter gives the value of one of an element's pairs in Forwarded, unquoted. A comma or
// semicolon in quotes is not told from another one: what is left then is no address or host.
func parameter(element, name string) string {
	for pair := range strings.SplitSeq(element, ";") {
		key, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
		if ok && strings.EqualFold(key, name) {
			if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
				value = value[1 : len(value)-1]
			}
			return value
		}
	}
	return ""
}
