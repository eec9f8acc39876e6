package upstream

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// inlineBody is the largest body that is read before the request is sent, to be sent with the
// header in one write. Larger ones are streamed.
const inlineBody = 16 << 10

// plan decides how the request is said to the backend. It refuses what cannot be said in
// HTTP/1.1 without becoming something else there, which HTTP/2 and 3 leave possible.
func (x *exchange) plan() error {
	r := x.r
	if !httpguts.ValidHeaderFieldName(r.Method) || !httpguts.ValidHostHeader(r.Host) {
		return fmt.Errorf("%w: its method or Host is not valid", ErrRequest)
	}
	if r.Method == http.MethodConnect {
		if protocolOf(r) != "websocket" {
			return fmt.Errorf("%w: CONNECT is not forwarded", ErrRequest)
		}
		x.key = webSocketKey()
		x.upgrade = "websocket"
		return nil
	}
	if r.Body != nil && r.Body != http.NoBody {
		x.length = r.ContentLength
	}
	if x.length == 0 {
		x.upgrade = upgradeOf(r)
		return nil
	}
	if len(r.Trailer) > 0 {
		x.length = -1 // only chunks have a trailer
	}
	// Over HTTP/2 net/http answers by itself, when the body is read; over 3 clients do not wait long.
	x.expect = r.ProtoMajor == 1 && r.ProtoAtLeast(1, 1) && httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue")
	return nil
}

// upgradeOf gives the protocol that a client on HTTP/1.1 wants to switch to, or "". HTTP and TLS
// are not among them: what came over such a connection would pass by the proxy.
func upgradeOf(r *http.Request) string {
	values := r.Header["Upgrade"]
	if len(values) != 1 || r.ProtoMajor != 1 || !r.ProtoAtLeast(1, 1) ||
		!httpguts.HeaderValuesContainsToken(r.Header["Connection"], "upgrade") {
		return ""
	}
	for token := range tokens(values[0]) {
		token = strings.ToLower(token)
		if strings.HasPrefix(token, "h2") || strings.HasPrefix(token, "http") || strings.HasPrefix(token, "tls") {
			return ""
		}
	}
	return values[0]
}

// repeatable reports whether the request may be sent again over another connection without
// asking anybody: it has no body and changes nothing.
func (x *exchange) repeatable() bool {
	if x.length != 0 || x.upgrade != "" {
		return false
	}
	switch x.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// appendHead appends the request line and header for the backend.
func (x *exchange) appendHead(b []byte) []byte {
	r := x.r
	method := r.Method
	if x.key != "" {
		method = http.MethodGet
	}
	b = append(append(b, method...), ' ')
	b = appendTarget(b, r)
	b = append(append(b, " HTTP/1.1\r\nHost: "...), r.Host...)
	b = append(b, "\r\n"...)
	who := x.client.clientOf(r)
	b = appendClientFields(b, &who, x.key != "")
	b = x.client.appendForwarding(b, &who)
	return append(x.appendFrame(b), "\r\n"...)
}

// appendTarget appends the path and query as they were sent.
func appendTarget(b []byte, r *http.Request) []byte {
	target := r.RequestURI
	if target == "" || target[0] != '/' && target != "*" {
		target = r.URL.RequestURI() // the absolute form, or not a server's request
	}
	if validTarget(target) {
		return append(b, target...)
	}
	for _, c := range []byte(target) {
		if c > ' ' && c < 0x7f && c != '#' {
			b = append(b, c)
		} else {
			b = fmt.Appendf(b, "%%%02X", c)
		}
	}
	return b
}

// validTarget reports whether s is made of visible ASCII and has no fragment.
func validTarget(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return true
}

// appendClientFields appends the client's header without what is about its connection and what
// it may not say. own says that the WebSocket key is made here.
func appendClientFields(b []byte, who *client, own bool) []byte {
	header := who.r.Header
	named := namedFields(header["Connection"])
	for name, values := range header {
		if removes(name, who.Trusted) || own && name == "Sec-Websocket-Key" || slices.Contains(named, name) {
			continue
		}
		for _, value := range values {
			b = appendField(b, name, value)
		}
	}
	if te := header["Te"]; len(te) > 0 && httpguts.HeaderValuesContainsToken(te, "trailers") {
		b = append(b, "Te: trailers\r\n"...)
	}
	return b
}

// namedFields gives the names in Connection that are not options of its own.
func namedFields(connection []string) (names []string) {
	for _, list := range connection {
		if list == "keep-alive" || list == "close" {
			continue
		}
		for token := range tokens(list) {
			names = append(names, textproto.CanonicalMIMEHeaderKey(token))
		}
	}
	return names
}

// appendField appends one line. net/http has checked name and value; control characters, some of
// which would end the line, are not let through on anybody's word.
func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	start := len(b)
	b = append(b, value...)
	for i, c := range b[start:] {
		if c < ' ' && c != '\t' || c == 0x7f {
			b[start+i] = ' '
		}
	}
	return append(b, "\r\n"...)
}

// appendForwarding appends who the client is and what it asked for.
func (c *Client) appendForwarding(b []byte, who *client) []byte {
	if who.address != "" {
		b = appendField(b, "X-Forwarded-For", who.chain())
		b = appendField(b, "X-Real-Ip", who.real())
	}
	b = appendField(b, "X-Forwarded-Host", who.Host)
	b = appendField(b, "X-Forwarded-Proto", who.Scheme)
	b = appendField(b, "X-Request-Id", c.requestID(who))
	b = append(b, "Forwarded: "...)
	return append(who.appendForwarded(b), "\r\n"...)
}

// appendFrame appends how the body ends, and what the connection is wanted for.
func (x *exchange) appendFrame(b []byte) []byte {
	switch {
	case x.upgrade != "":
		b = append(b, "Connection: Upgrade\r\n"...)
		b = appendField(b, "Upgrade", x.upgrade)
		if x.key != "" {
			b = appendField(b, "Sec-Websocket-Key", x.key)
		}
	case x.length > 0:
		b = append(b, "Content-Length: "...)
		b = append(strconv.AppendInt(b, x.length, 10), "\r\n"...)
	case x.length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		for name := range x.r.Trailer {
			if canonical, ok := canonicalName(name); ok && !removes(canonical, false) {
				b = appendField(b, "Trailer", canonical)
			}
		}
	default:
		switch x.r.Method {
		case http.MethodPost, http.MethodPut, http.MethodPatch:
			b = append(b, "Content-Length: 0\r\n"...)
		}
	}
	if x.expect {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	return b
}
