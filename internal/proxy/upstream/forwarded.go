package upstream

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// hopByHop are headers of a request that are about the client's connection, or that are written
// anew for the backend's.
var hopByHop = [...]string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Http2-Settings", "Host", "Content-Length", "Expect", ":protocol",
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-Ip", "X-Request-Id",
	"Proxy", // HTTP_PROXY to CGI programs
}

// forgeable are the other headers that applications trust a proxy for. They pass from a trusted
// one only.
var forgeable = [...]string{
	"X-Client-Ip", "X-Forwarded-Port", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Server",
	"X-Forwarded-Prefix", "X-Original-Url", "X-Rewrite-Url", "X-Url-Scheme", "Front-End-Https",
}

// rule says which clients' header of a name is removed.
type rule int

const (
	ofStrangers rule = iota + 1
	ofAll
)

// removed has a rule for each name above.
var removed = func() map[string]rule {
	m := make(map[string]rule)
	for _, name := range forgeable {
		m[name] = ofStrangers
	}
	for _, name := range hopByHop {
		m[name] = ofAll
	}
	return m
}()

// removes reports whether a client's header stays behind. CGI programs cannot tell X_Real_Ip
// from X-Real-Ip, so both are held to be the same.
func removes(name string, trusted bool) bool {
	rule := removed[name]
	if strings.IndexByte(name, '_') >= 0 {
		rule = removed[http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))]
	}
	return rule == ofAll || rule == ofStrangers && !trusted
}

// client is who sent a request, as far as that is known for certain.
type client struct {
	r       *http.Request
	address string // without port; empty: unknown
	trusted bool   // it is a proxy that is believed
}

func (c *Client) clientOf(r *http.Request) client {
	who := client{r: r, address: r.RemoteAddr}
	if i := strings.LastIndexByte(who.address, ':'); i >= 0 {
		who.address = strings.TrimSuffix(strings.TrimPrefix(who.address[:i], "["), "]")
	}
	addr, err := netip.ParseAddr(who.address)
	if err != nil {
		who.address = ""
		return who
	}
	if addr.Is4In6() || addr.Zone() != "" {
		addr = addr.Unmap().WithZone("")
		who.address = addr.String()
	}
	who.trusted = c.cfg.Trusted(addr)
	return who
}

// said gives a header that counts only from a trusted proxy.
func (who *client) said(name string) string {
	if !who.trusted {
		return ""
	}
	if values := who.r.Header[name]; len(values) > 0 {
		return strings.Join(values, ", ")
	}
	return ""
}

func (who *client) proto() string {
	if s := who.said("X-Forwarded-Proto"); s != "" {
		return s
	}
	if who.r.TLS != nil {
		return "https"
	}
	return "http"
}

func (who *client) host() string {
	if s := who.said("X-Forwarded-Host"); s != "" {
		return s
	}
	return who.r.Host
}

// chain gives X-Forwarded-For.
func (who *client) chain() string {
	before := who.said("X-Forwarded-For")
	if before == "" || who.address == "" {
		return before + who.address
	}
	return before + ", " + who.address
}

// origin gives the address that the request comes from: behind trusted proxies, the last one
// that is not itself trusted.
func (who *client) origin(trusted func(netip.Addr) bool) string {
	if s := who.said("X-Real-Ip"); s != "" {
		return s
	}
	origin := who.address
	for before := who.said("X-Forwarded-For"); before != ""; {
		part := before
		if i := strings.LastIndexByte(before, ','); i >= 0 {
			before, part = before[:i], before[i+1:]
		} else {
			before = ""
		}
		addr, err := netip.ParseAddr(trimSpace(part))
		if err != nil {
			break
		}
		origin = addr.String()
		if !trusted(addr) {
			break
		}
	}
	return origin
}

// requestID gives the id that a trusted proxy gave, or else a new one.
func (c *Client) requestID(who *client) string {
	if id := who.said("X-Request-Id"); id != "" && len(id) <= 200 && validTarget(id) {
		return id
	}
	return c.cfg.RequestID(who.r)
}

func randomID() string {
	var raw [16]byte
	binary.LittleEndian.PutUint64(raw[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(raw[8:], rand.Uint64())
	var text [32]byte
	hex.Encode(text[:], raw[:])
	return string(text[:])
}

// appendForwarded appends the value of Forwarded (RFC 7239). Of a trusted proxy that only knows
// X-Forwarded-For its addresses are taken over, so that the two never disagree.
func (who *client) appendForwarded(b []byte) []byte {
	host, proto := who.r.Host, "http"
	if who.r.TLS != nil {
		proto = "https"
	}
	if before := who.said("Forwarded"); before != "" {
		b = append(append(b, before...), ", "...)
	} else if before := who.said("X-Forwarded-For"); before != "" {
		for part := range tokens(before) {
			b = appendNode(append(b, "for="...), part)
			if host != "" {
				b = appendQuoted(append(b, ";host="...), who.host())
				b = appendQuoted(append(b, ";proto="...), who.proto())
				host = "" // said once, of the first
			}
			b = append(b, ", "...)
		}
	}
	b = appendNode(append(b, "for="...), who.address)
	if host != "" {
		b = appendQuoted(append(b, ";host="...), host)
	}
	return append(append(b, ";proto="...), proto...)
}

// appendNode appends an address the way Forwarded has them.
func appendNode(b []byte, address string) []byte {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		if host, _, e := net.SplitHostPort(address); e == nil {
			addr, err = netip.ParseAddr(host)
		}
	}
	switch {
	case err != nil:
		return append(b, "unknown"...)
	case addr.Is6():
		return append(addr.AppendTo(append(b, `"[`...)), `]"`...)
	}
	return addr.AppendTo(b)
}

// appendQuoted appends s, quoted where it has to be.
func appendQuoted(b []byte, s string) []byte {
	for _, c := range []byte(s) {
		if !tokenByte[c] {
			b = append(b, '"')
			for _, c := range []byte(s) {
				if c == '"' || c == '\\' {
					b = append(b, '\\')
				}
				b = append(b, c)
			}
			return append(b, '"')
		}
	}
	return append(b, s...)
}
