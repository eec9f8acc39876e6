package guard

import (
	"net/http"
	"strings"
)

// Check looks at what can be odd in a request that net/http has parsed, or an HTTP/3 server: it
// gives nil for a proper one, otherwise why it is to be answered with 400. It allocates nothing
// for a proper one. For HTTP/1 it is the second line behind a Listener's inspection.
func Check(r *http.Request) *Refusal {
	switch {
	case !validHost(r.Host):
		return bad("a Host with characters that no host has")
	case !validTarget(r):
		return bad("a target that is not a path")
	case r.URL.Fragment != "" || strings.IndexByte(r.RequestURI, '#') >= 0:
		return bad("a target with a fragment")
	case r.ProtoMajor < 2:
		return nil
	}
	return checkStream(r)
}

func bad(detail string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Reason: ReasonShape, Detail: detail}
}

// checkStream looks at what HTTP/2 and 3 can say and HTTP/1.1 cannot.
func checkStream(r *http.Request) *Refusal {
	if !validMethod(r.Method) {
		return bad("a method that is not a word")
	}
	if hosts, ok := r.Header["Host"]; ok {
		if len(hosts) != 1 || !sameHost(hosts[0], r.Host) {
			return bad(":authority and Host name different hosts")
		}
	}
	if lengths, ok := r.Header["Content-Length"]; ok {
		switch {
		case len(lengths) != 1:
			return bad("several Content-Length headers")
		case !validLength(lengths[0]):
			return bad("Content-Length is not a number")
		case r.ContentLength == 0 && strings.Trim(lengths[0], "0") != "":
			return bad("Content-Length of a body that is not there")
		}
	}
	for _, name := range [...]string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"} {
		if _, ok := r.Header[name]; ok {
			return bad("a header that is only for HTTP/1: " + name)
		}
	}
	return nil
}

// validHost takes what a host, an address and a port are made of, and letters of any language,
// which clients may send and canonicalising refuses or folds.
func validHost(host string) bool {
	for i := range len(host) {
		switch c := host[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == ':', c == '_',
			c >= 'A' && c <= 'Z', c == '[', c == ']', c == '%', c == '*', c >= 0x80:
		default:
			return false
		}
	}
	return true
}

// validTarget takes a path, "*" where it may stand, a CONNECT's host, and for HTTP/1 the absolute
// form, which is there for old proxies. Blanks and control characters end a request line.
func validTarget(r *http.Request) bool {
	target := r.RequestURI
	for i := range len(target) {
		if target[i] <= ' ' || target[i] == 0x7f {
			return false
		}
	}
	switch {
	case target != "" && target[0] == '/':
		return true
	case r.Method == http.MethodConnect:
		return true
	case target == "*":
		return r.Method == http.MethodOptions
	}
	scheme := r.URL.Scheme
	return r.ProtoMajor == 1 && (scheme == "http" || scheme == "https") && r.URL.Host != "" && r.URL.User == nil
}

// validMethod takes a token of RFC 9110.
func validMethod(method string) bool {
	for i := range len(method) {
		c := method[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return method != ""
}

func validLength(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && len(s) <= 18
}
