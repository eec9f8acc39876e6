package upstream

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/proxy/origin"
)

// hopByHop are headers of a request that are about the client's connection, or that are written
// anew for the backend's.
var hopByHop = [...]string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Http2-Settings", "Host", "Content-Length", "Expect", ":protocol",
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-Ip", "X-Request-Id",
	"Proxy", // HTTP_PROXY to CGI programs
	idField,
}

// idField is where Identify keeps a request's id. Servers refuse a client's field of such a name.
const idField = ":request-id"

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
	origin.Origin
	r       *http.Request
	address string // of Peer; empty: unknown
}

func (c *Client) clientOf(r *http.Request) client {
	who := client{Origin: origin.Of(r, c.cfg.Trusted), r: r}
	switch {
	case !who.Peer.IsValid():
	case who.Peer.Is4() && r.RemoteAddr[0] != '[':
		who.address, _, _ = strings.Cut(r.RemoteAddr, ":") // the same text, without making it anew
	default:
		who.address = who.Peer.String()
	}
	return who
}

// said gives a header that counts only from a trusted proxy.
func (who *client) said(name string) string {
	if !who.Trusted {
		return ""
	}
	if values := who.r.Header[name]; len(values) > 0 {
		return strings.Join(values, ", ")
	}
	return ""
}

// chain gives X-Forwarded-For.
func (who *client) chain() string {
	before := who.said("X-Forwarded-For")
	if before == "" || who.address == "" {
		return before + who.address
	}
	return before + ", " + who.address
}

// real gives the address that the request comes from.
func (who *client) real() string {
	if who.Client == who.Peer {
		return who.address
	}
	return who.Client.String()
}

// Identify gives the X-Request-Id that the backend is told: that of a trusted proxy, or else a
// new one. r is forwarded with it from then on, however often it is tried.
func (c *Client) Identify(r *http.Request) string {
	who := c.clientOf(r)
	id := c.requestID(&who)
	r.Header[idField] = []string{id}
	return id
}

// requestID gives the id that Identify gave or a trusted proxy did, or else a new one.
func (c *Client) requestID(who *client) string {
	if id := who.r.Header[idField]; len(id) == 1 {
		return id[0]
	}
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
				b = appendQuoted(append(b, ";host="...), who.Host)
				b = appendQuoted(append(b, ";proto="...), who.Scheme)
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
