package upstream

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// head is the beginning of an answer: its status line and header.
type head struct {
	minor  int // of the HTTP version, whose major is 1
	status int
	fields []field // end-to-end ones, in order

	length  int64    // of the body; -1: not given
	chunked bool     // the body is
	close   bool     // "Connection: close"
	keep    bool     // "Connection: keep-alive"
	upgrade string   // protocol switched to, where "Connection: upgrade" is there too
	trailer []string // names announced
}

// field is one line of a header or trailer. Its name is in canonical form.
type field struct{ name, value string }

var errHead = errors.New("the backend's answer is malformed")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errHead, fmt.Sprintf(format, args...))
}

// parse reads text, a whole head that ends with its empty line. Every line has to end with CRLF.
// The strings in h are parts of text.
func (h *head) parse(text string) error {
	*h = head{fields: h.fields[:0], length: -1}
	line, rest, _ := strings.Cut(text, "\r\n")
	if err := h.parseStatus(line); err != nil {
		return err
	}
	fields, err := appendFields(h.fields, rest)
	if err != nil {
		return err
	}
	h.fields = fields
	return h.interpret()
}

func (h *head) parseStatus(line string) error {
	// "HTTP/1.1 200" and, after one more space, a reason that may be empty
	if len(line) < 12 || line[:7] != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' {
		return malformed("status line %.40q", line)
	}
	h.minor = int(line[7] - '0')
	for _, c := range []byte(line[9:12]) {
		if c < '0' || c > '9' {
			return malformed("status line %.40q", line)
		}
		h.status = h.status*10 + int(c-'0')
	}
	if h.status < 100 || len(line) > 12 && line[12] != ' ' || !validValue(line[12:]) {
		return malformed("status line %.40q", line)
	}
	return nil
}

// appendFields parses lines up to and with the empty one, which has to be the last.
func appendFields(fields []field, text string) ([]field, error) {
	for {
		line, rest, ok := strings.Cut(text, "\r\n")
		if !ok {
			return nil, malformed("a line does not end")
		}
		if line == "" {
			if rest != "" {
				return nil, malformed("text after the empty line")
			}
			return fields, nil
		}
		text = rest
		colon := strings.IndexByte(line, ':')
		if colon <= 0 {
			return nil, malformed("header line %.40q", line)
		}
		name, ok := canonicalName(line[:colon])
		if !ok { // also a folded line, which begins with a space
			return nil, malformed("header name %.40q", line[:colon])
		}
		value := trimSpace(line[colon+1:])
		if !validValue(value) {
			return nil, malformed("value of header %s", name)
		}
		fields = append(fields, field{name, value})
	}
}

// interpret takes the fields that are about this connection and the body's frame out of fields.
func (h *head) interpret() error {
	var upgrade string
	var named []string // in Connection
	var switches bool
	kept := h.fields[:0]
	for _, f := range h.fields {
		switch f.name {
		case "Content-Length":
			if h.length >= 0 {
				if n, err := parseLength(f.value); err != nil || n != h.length {
					return malformed("two lengths, %d and %.40q", h.length, f.value)
				}
				continue // the same once more
			}
			n, err := parseLength(f.value)
			if err != nil {
				return err
			}
			h.length = n
		case "Transfer-Encoding":
			if h.chunked || h.minor == 0 || !strings.EqualFold(f.value, "chunked") {
				return malformed("transfer encoding %.40q", f.value)
			}
			h.chunked = true
			continue
		case "Connection":
			for token := range tokens(f.value) {
				switch {
				case strings.EqualFold(token, "close"):
					h.close = true
				case strings.EqualFold(token, "keep-alive"):
					h.keep = true
				case strings.EqualFold(token, "upgrade"):
					switches = true
				default:
					named = append(named, http.CanonicalHeaderKey(token))
				}
			}
			continue
		case "Upgrade":
			upgrade = f.value
			continue
		case "Trailer":
			for token := range tokens(f.value) {
				name, ok := canonicalName(token)
				if !ok || framing(name) {
					return malformed("trailer %.40q", token)
				}
				h.trailer = append(h.trailer, name)
			}
			continue
		case "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te",
			"Alt-Svc": // of its own connection; visitors are to come to the proxy
			continue
		}
		kept = append(kept, f)
	}
	if h.chunked && h.length >= 0 {
		return malformed("both a length and chunks")
	}
	if switches {
		h.upgrade = upgrade
	}
	if len(named) > 0 {
		kept = slices.DeleteFunc(kept, func(f field) bool { return slices.Contains(named, f.name) })
	}
	h.fields = kept
	return nil
}

// bodiless reports whether the answer to a request by method ends with its header.
func (h *head) bodiless(method string) bool {
	return method == http.MethodHead || h.status < 200 || h.status == http.StatusNoContent || h.status == http.StatusNotModified
}

// reusable reports whether the connection can carry another request after this answer.
func (h *head) reusable(method string) bool {
	if h.close || h.minor == 0 && !h.keep {
		return false
	}
	if h.bodiless(method) {
		// A 204 or 304 with chunks, or a 204 with a length, contradicts itself: what follows
		// is anybody's guess.
		return method == http.MethodHead || !h.chunked && (h.status != http.StatusNoContent || h.length <= 0)
	}
	return h.chunked || h.length >= 0
}

// framing reports whether a field decides where a message ends; it has no place in a trailer.
func framing(name string) bool {
	return name == "Content-Length" || name == "Transfer-Encoding" || name == "Trailer"
}

func parseLength(s string) (int64, error) {
	if s == "" || len(s) > 18 {
		return 0, malformed("length %.40q", s)
	}
	var n int64
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, malformed("length %.40q", s)
		}
		n = n*10 + int64(c-'0')
	}
	return n, nil
}

// canonicalName checks a field's name and gives its canonical form, most often itself.
func canonicalName(s string) (string, bool) {
	canonical, upper := true, true
	for _, c := range []byte(s) {
		if !tokenByte[c] {
			return "", false
		}
		canonical = canonical && !(upper && c >= 'a' && c <= 'z') && !(!upper && c >= 'A' && c <= 'Z')
		upper = c == '-'
	}
	if !canonical {
		s = textproto.CanonicalMIMEHeaderKey(s)
	}
	return s, s != ""
}

// tokenByte says which bytes a name may be made of (RFC 9110, token).
var tokenByte = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

// validValue reports whether s may be a field's value: no control characters but tabs.
func validValue(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func trimSpace(s string) string { return strings.Trim(s, " \t") }

// tokens gives the parts of a comma-separated list that are not empty.
func tokens(list string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for part := range strings.SplitSeq(list, ",") {
			if part = trimSpace(part); part != "" && !yield(part) {
				return
			}
		}
	}
}
