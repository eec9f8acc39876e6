package upstream

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// sent gives what a backend would read of r, or an error.
func sent(cfg Config, r *http.Request) (*http.Request, string, error) {
	client := New(cfg)
	defer client.Close()
	x := exchange{client: client, r: r}
	if err := x.plan(); err != nil {
		return nil, "", err
	}
	text := string(x.appendHead(nil))
	br := bufio.NewReader(strings.NewReader(text))
	got, err := http.ReadRequest(br)
	if err != nil {
		return nil, text, errors.Join(errors.New("what is sent is no request"), err)
	}
	if br.Buffered() > 0 {
		return nil, text, errors.New("what is sent is more than one request")
	}
	return got, text, nil
}

func TestForwardingHeaders(t *testing.T) {
	trusted := func(a netip.Addr) bool { return netip.MustParsePrefix("10.0.0.0/8").Contains(a) }
	for name, tc := range map[string]struct {
		remote string
		header map[string]string
		want   map[string]string
	}{
		"stranger": {
			remote: "192.0.2.1:1234",
			header: map[string]string{
				"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example",
				"X-Forwarded-Port": "1", "X-Forwarded-Prefix": "/x", "Forwarded": "for=6.6.6.6", "X-Real-Ip": "6.6.6.6",
				"X-Original-Url": "/admin", "Proxy": "http://evil.example", "X-Request-Id": "mine", "X_Real_Ip": "6.6.6.6",
				"X_forwarded-For": "6.6.6.6", "X-Kept": "kept", "X_kept": "kept",
			},
			want: map[string]string{
				"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "acme.example:8443",
				"X-Real-Ip": "192.0.2.1", "Forwarded": `for=192.0.2.1;host="acme.example:8443";proto=https`, "X-Request-Id": "made",
				"X-Forwarded-Port": "", "X-Forwarded-Prefix": "", "X-Original-Url": "", "Proxy": "", "X_real_ip": "",
				"X_forwarded-For": "", "X-Kept": "kept", "X_kept": "kept",
			},
		},
		"IPv6": {
			remote: "[2001:db8::1%eth0]:1234",
			want: map[string]string{
				"X-Forwarded-For": "2001:db8::1", "X-Real-Ip": "2001:db8::1",
				"Forwarded": `for="[2001:db8::1]";host="acme.example:8443";proto=https`,
			},
		},
		"address not known": {
			remote: "@",
			header: map[string]string{"X-Forwarded-For": "6.6.6.6"},
			want:   map[string]string{"X-Forwarded-For": "", "X-Real-Ip": "", "Forwarded": `for=unknown;host="acme.example:8443";proto=https`},
		},
		"trusted proxy": {
			remote: "10.0.0.1:1234",
			header: map[string]string{
				"X-Forwarded-For": "6.6.6.6, 192.0.2.1, 10.0.0.2", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "www.acme.example",
				"X-Forwarded-Port": "80", "X-Request-Id": "theirs", "Proxy": "http://evil.example",
			},
			want: map[string]string{
				"X-Forwarded-For": "6.6.6.6, 192.0.2.1, 10.0.0.2, 10.0.0.1", "X-Forwarded-Proto": "http",
				"X-Forwarded-Host": "www.acme.example", "X-Real-Ip": "192.0.2.1", "X-Forwarded-Port": "80", "X-Request-Id": "theirs",
				"Proxy": "",
				"Forwarded": "for=6.6.6.6;host=www.acme.example;proto=http, for=192.0.2.1, for=10.0.0.2, " +
					`for=10.0.0.1;proto=https`,
			},
		},
		"trusted proxy that says Forwarded": {
			remote: "10.0.0.1:1234",
			header: map[string]string{"Forwarded": "for=192.0.2.1", "X-Real-Ip": "192.0.2.1", "X-Request-Id": "two words"},
			want: map[string]string{
				"Forwarded": `for=192.0.2.1, for=10.0.0.1;host="acme.example:8443";proto=https`, "X-Real-Ip": "192.0.2.1",
				"X-Forwarded-For": "10.0.0.1", "X-Request-Id": "made",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host, r.RemoteAddr, r.TLS = "acme.example:8443", tc.remote, &tls.ConnectionState{}
			for name, value := range tc.header {
				r.Header.Set(name, value)
			}
			got, _, err := sent(Config{Trusted: trusted, RequestID: func(*http.Request) string { return "made" }}, r)
			if err != nil {
				t.Fatal(err)
			}
			if got.Host != r.Host {
				t.Errorf("Host %q", got.Host)
			}
			for name, want := range tc.want {
				if v := strings.Join(got.Header.Values(name), "|"); v != want {
					t.Errorf("%s: %q, want %q", name, v, want)
				}
			}
		})
	}
}

func TestRequestIDs(t *testing.T) {
	seen := make(map[string]bool)
	for range 100 {
		got, _, err := sent(Config{}, httptest.NewRequest(http.MethodGet, "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		id := got.Header.Get("X-Request-Id")
		if len(id) != 32 || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}

func TestRequestHead(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(*http.Request)
		has, no []string // lines
	}{
		"GET": {
			func(*http.Request) {},
			[]string{"GET /a?b HTTP/1.1", "Host: acme.example"},
			[]string{"Content-Length", "Transfer-Encoding", "User-Agent", "Connection"},
		},
		"POST without a body": {
			func(r *http.Request) { r.Method = http.MethodPost }, []string{"Content-Length: 0"}, []string{"Transfer-Encoding"},
		},
		"known length": {
			func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("12")), 2 },
			[]string{"Content-Length: 2"},
			[]string{"Transfer-Encoding"},
		},
		"unknown length": {
			func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("12")), -1 },
			[]string{"Transfer-Encoding: chunked"},
			[]string{"Content-Length"},
		},
		"trailer": {
			func(r *http.Request) {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader("12")), 2
				r.Trailer = http.Header{"X-Sum": nil, "X-Forwarded-For": nil, "Content-Length": nil}
			},
			[]string{"Transfer-Encoding: chunked", "Trailer: X-Sum"},
			[]string{"Content-Length", "Trailer: X-F", "Trailer: Con"},
		},
		"hop by hop": {
			func(r *http.Request) {
				r.Header = http.Header{
					"Connection": {"keep-alive, X-Mine", "x-other"}, "X-Mine": {"1"}, "X-Other": {"1"}, "Keep-Alive": {"1"},
					"Te": {"gzip, trailers"}, "Proxy-Authorization": {"x"}, "Content-Length": {"7"}, "Transfer-Encoding": {"x"},
				}
			},
			[]string{"Te: trailers"},
			[]string{"X-Mine", "X-Other", "Keep-Alive", "Proxy-Authorization", "Content-Length", "Transfer-Encoding", "Connection"},
		},
		"expects": {
			func(r *http.Request) {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader("12")), 2
				r.Header.Set("Expect", "100-continue")
			},
			[]string{"Expect: 100-continue"},
			nil,
		},
		"expects without a body": {
			func(r *http.Request) { r.Header.Set("Expect", "100-continue") }, nil, []string{"Expect"},
		},
		"upgrade": {
			func(r *http.Request) {
				r.Header = http.Header{"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"}}
			},
			[]string{"Connection: Upgrade", "Upgrade: websocket"},
			[]string{"keep-alive"},
		},
		"upgrade not meant": {
			func(r *http.Request) { r.Header = http.Header{"Upgrade": {"websocket"}} }, nil, []string{"Upgrade"},
		},
		"upgrade to HTTP/2": {
			func(r *http.Request) {
				r.Header = http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {"AAMAAABk"}}
			},
			nil,
			[]string{"Upgrade", "h2c", "Http2-Settings"},
		},
		"upgrade over HTTP/2": {
			func(r *http.Request) {
				r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0
				r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}
			},
			nil,
			[]string{"Upgrade"},
		},
		"path as sent": {
			func(r *http.Request) { r.RequestURI = "/a//b%2Fc/../d?x=%zz;y" }, []string{"GET /a//b%2Fc/../d?x=%zz;y HTTP/1.1"}, nil,
		},
		"path in need of escaping": {
			func(r *http.Request) { r.RequestURI = "/a b#c\xe4?d e" }, []string{"GET /a%20b%23c%E4?d%20e HTTP/1.1"}, nil,
		},
		"absolute form": {
			func(r *http.Request) { r.RequestURI = "http://acme.example/a?b" }, []string{"GET /a?b HTTP/1.1"}, nil,
		},
		"asterisk": {
			func(r *http.Request) { r.Method, r.RequestURI = http.MethodOptions, "*" }, []string{"OPTIONS * HTTP/1.1"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://acme.example/a?b", nil)
			tc.change(r)
			_, text, err := sent(Config{}, r)
			if err != nil {
				t.Fatal(err, text)
			}
			for _, line := range tc.has {
				if !strings.Contains("\r\n"+text, "\r\n"+line+"\r\n") {
					t.Errorf("%s is missing in\n%s", line, text)
				}
			}
			for _, line := range tc.no {
				if strings.Contains(text, "\r\n"+line) {
					t.Errorf("%s is in\n%s", line, text)
				}
			}
		})
	}
}

func TestRequestRefused(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"method with spaces": func(r *http.Request) { r.Method = "GET /admin HTTP/1.1" },
		"method with a line": func(r *http.Request) { r.Method = "GET\r\n" },
		"Host with a space":  func(r *http.Request) { r.Host = "acme.example evil" },
		"Host with a line":   func(r *http.Request) { r.Host = "acme.example\r\nX: y" },
		"Host with a slash":  func(r *http.Request) { r.Host = "acme.example/x" },
		"CONNECT":            func(r *http.Request) { r.Method = http.MethodConnect },
		"CONNECT to another protocol": func(r *http.Request) {
			r.Method = http.MethodConnect
			r.Header[":protocol"] = []string{"connect-udp"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			change(r)
			client := New(Config{})
			defer client.Close()
			if err := client.Forward(httptest.NewRecorder(), r, "127.0.0.1:1"); !errors.Is(err, ErrRequest) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Whatever a request is made of, the backend reads one request with the same method, and of the
// headers an application trusts only ours.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/a?b", "acme.example", "X-A", "b", "keep-alive")
	f.Add("GET /x HTTP/1.1", "/a b", "acme example", "X-A\r\nX", "b\r\nc: d", "X-Real-Ip, Forwarded")
	f.Add("POST", "*", "[::1]:80", "x_Forwarded_for", "6.6.6.6", "Host")
	f.Fuzz(func(t *testing.T, method, target, host, name, value, connection string) {
		r := &http.Request{
			Method: method, RequestURI: target, Host: host, Proto: "HTTP/2.0", ProtoMajor: 2, RemoteAddr: "192.0.2.1:1",
			URL: &url.URL{Path: "/"}, Header: http.Header{"Connection": {connection}},
		}
		if canonical, ok := canonicalName(name); ok { // net/http's servers let no others in
			r.Header[canonical] = append(r.Header[canonical], value)
		}
		got, text, err := sent(Config{}, r)
		if errors.Is(err, ErrRequest) {
			return
		}
		if err != nil {
			if strings.Contains(err.Error(), "invalid URI") || strings.Contains(err.Error(), "parse") {
				return // a path that only net/http minds
			}
			t.Fatal(err, text)
		}
		if got.Method != method || got.Host != host || got.ContentLength != 0 {
			t.Fatalf("%s %s, length %d:\n%s", got.Method, got.Host, got.ContentLength, text)
		}
		for _, name := range []string{"X-Forwarded-For", "X-Real-Ip"} {
			if v := strings.Join(got.Header[name], "|"); v != "192.0.2.1" {
				t.Fatalf("%s is %q in\n%s", name, v, text)
			}
		}
	})
}
