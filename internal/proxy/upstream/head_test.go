package upstream

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseHead(t *testing.T) {
	for name, tc := range map[string]struct {
		text     string
		status   int
		fields   string
		length   int64
		chunked  bool
		reusable bool // after a GET
	}{
		"plain":            {"HTTP/1.1 200 OK\nContent-Length: 5\nX-A: b", 200, "[{Content-Length 5} {X-A b}]", 5, false, true},
		"no reason":        {"HTTP/1.1 200\nContent-Length: 0", 200, "[{Content-Length 0}]", 0, false, true},
		"empty reason":     {"HTTP/1.1 404 \nContent-Length: 0", 404, "[{Content-Length 0}]", 0, false, true},
		"no fields":        {"HTTP/1.1 200 OK", 200, "[]", -1, false, false},
		"chunks":           {"HTTP/1.1 200 OK\nTransfer-Encoding: Chunked", 200, "[]", -1, true, true},
		"names":            {"HTTP/1.1 200 OK\ncontent-length: 1\nx-aB-c: 1\nETag: 2", 200, "[{Content-Length 1} {X-Ab-C 1} {Etag 2}]", 1, false, true},
		"spaces":           {"HTTP/1.1 200 OK\nX-A:\t  b c \t\nX-B:", 200, "[{X-A b c} {X-B }]", -1, false, false},
		"not ASCII":        {"HTTP/1.1 200 Na\xefve\nX-A: na\xefve", 200, "[{X-A na\xefve}]", -1, false, false},
		"same length":      {"HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 5", 200, "[{Content-Length 5}]", 5, false, true},
		"close":            {"HTTP/1.1 200 OK\nContent-Length: 5\nConnection: Close", 200, "[{Content-Length 5}]", 5, false, false},
		"1.0":              {"HTTP/1.0 200 OK\nContent-Length: 5", 200, "[{Content-Length 5}]", 5, false, false},
		"1.0 kept":         {"HTTP/1.0 200 OK\nContent-Length: 5\nConnection: Keep-Alive", 200, "[{Content-Length 5}]", 5, false, true},
		"hop by hop":       {"HTTP/1.1 200 OK\nConnection: x-a, close\nX-A: 1\nX-B: 2\nKeep-Alive: timeout=5\nUpgrade: h2c\nProxy-Connection: a", 200, "[{X-B 2}]", -1, false, false},
		"nothing follows":  {"HTTP/1.1 204 No Content", 204, "[]", -1, false, true},
		"304 with length":  {"HTTP/1.1 304 Not Modified\nContent-Length: 5", 304, "[{Content-Length 5}]", 5, false, true},
		"204 with length":  {"HTTP/1.1 204 No Content\nContent-Length: 5", 204, "[{Content-Length 5}]", 5, false, false},
		"204 with chunks":  {"HTTP/1.1 204 No Content\nTransfer-Encoding: chunked", 204, "[]", -1, true, false},
		"several the same": {"HTTP/1.1 200 OK\nSet-Cookie: a\nSet-Cookie: b", 200, "[{Set-Cookie a} {Set-Cookie b}]", -1, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var h head
			if err := h.parse(strings.ReplaceAll(tc.text, "\n", "\r\n") + "\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if h.status != tc.status || fmt.Sprint(h.fields) != tc.fields || h.length != tc.length || h.chunked != tc.chunked {
				t.Errorf("%+v", h)
			}
			if got := h.reusable("GET"); got != tc.reusable {
				t.Errorf("reusable %v", got)
			}
		})
	}
}

// malformedHeads are what a backend's answer is refused for.
var malformedHeads = map[string]string{
	"not HTTP":              "SSH-2.0-OpenSSH_9.2\r\n\r\n",
	"HTTP/2":                "HTTP/2.0 200 OK\r\n\r\n",
	"HTTP/1.2":              "HTTP/1.2 200 OK\r\n\r\n",
	"lower case":            "http/1.1 200 OK\r\n\r\n",
	"no status":             "HTTP/1.1 \r\n\r\n",
	"two digits":            "HTTP/1.1 20 OK\r\n\r\n",
	"four digits":           "HTTP/1.1 2000 OK\r\n\r\n",
	"status 99":             "HTTP/1.1 099 OK\r\n\r\n",
	"status in letters":     "HTTP/1.1 abc OK\r\n\r\n",
	"signed status":         "HTTP/1.1 +20 OK\r\n\r\n",
	"two spaces":            "HTTP/1.1  200 OK\r\n\r\n",
	"control in reason":     "HTTP/1.1 200 O\x01K\r\n\r\n",
	"no colon":              "HTTP/1.1 200 OK\r\nContent-Length 5\r\n\r\n",
	"no name":               "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
	"space before colon":    "HTTP/1.1 200 OK\r\nX-A : b\r\n\r\n",
	"space in name":         "HTTP/1.1 200 OK\r\nX A: b\r\n\r\n",
	"folded line":           "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\n\r\n",
	"folded with a tab":     "HTTP/1.1 200 OK\r\nX-A: b\r\n\tc: d\r\n\r\n",
	"folded at once":        "HTTP/1.1 200 OK\r\n X-A: b\r\n\r\n",
	"name not ASCII":        "HTTP/1.1 200 OK\r\nX-\xe4: b\r\n\r\n",
	"zero in value":         "HTTP/1.1 200 OK\r\nX-A: b\x00c\r\n\r\n",
	"return in value":       "HTTP/1.1 200 OK\r\nX-A: b\rc\r\n\r\n",
	"delete in value":       "HTTP/1.1 200 OK\r\nX-A: b\x7fc\r\n\r\n",
	"bare line feed":        "HTTP/1.1 200 OK\r\nX-A: b\nX-B: c\r\n\r\n",
	"bare line feeds only":  "HTTP/1.1 200 OK\nX-A: b\n\n",
	"two lengths":           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
	"list of lengths":       "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
	"negative length":       "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
	"signed length":         "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
	"hexadecimal length":    "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
	"empty length":          "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
	"huge length":           "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n",
	"length and chunks":     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"chunks and length":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	"other coding":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
	"two codings":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"chunked twice":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"almost chunked":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"chunks in 1.0":         "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"framing as trailer":    "HTTP/1.1 200 OK\r\nTrailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"switch nobody asked":   "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	"empty line at first":   "\r\nHTTP/1.1 200 OK\r\n\r\n",
	"ends within the head":  "HTTP/1.1 200 OK\r\nContent-",
	"ends before it":        "",
	"a header of 1 MB":      "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 1<<20) + "\r\n\r\n",
	"a million headers":     "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 1<<20) + "\r\n",
	"informational for all": strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1000),
}

func TestParseHeadRefuses(t *testing.T) {
	for name, text := range malformedHeads {
		end := strings.Index(text, "\r\n\r\n")
		if end <= 0 || strings.HasPrefix(name, "a ") || strings.Contains(name, "informational") || strings.Contains(name, "switch") {
			continue // not this function's to see
		}
		var h head
		if err := h.parse(text[:end+4]); err == nil {
			t.Errorf("%s: taken as %+v", name, h)
		}
	}
}
