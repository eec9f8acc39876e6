package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lxdfleet/lxdfleet/web"
)

func get(t *testing.T, files fstest.MapFS, method, address, encoding string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, address, nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	web.Handler(files).ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	from := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		from = z
	}
	b, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHandler(t *testing.T) {
	script := strings.Repeat("console.log('a');", 100)
	files := fstest.MapFS{
		".keep":              {},
		"index.html":         {Data: []byte(`<meta property="csp-nonce" nonce="__CSP_NONCE__"><div id=root>`)},
		"assets/main-abc.js": {Data: []byte(script)},
		"favicon.svg":        {Data: []byte("<svg/>")},
	}
	for _, test := range []struct {
		name, method, address string
		status                int
		kind, cache, text     string
	}{
		{"the page", "GET", "/ui/", 200, "text/html; charset=utf-8", "no-store", "id=root"},
		{"a page that it finds itself", "GET", "/ui/tenants/acme", 200, "text/html; charset=utf-8", "no-store", "id=root"},
		{"a file whose name tells its content", "GET", "/ui/assets/main-abc.js", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", script},
		{"a file of an earlier build", "GET", "/ui/assets/main-old.js", 404, "text/plain; charset=utf-8", "", "load the page anew"},
		{"another file", "GET", "/ui/favicon.svg", 200, "image/svg+xml", "no-cache", "<svg/>"},
		{"hidden files are not served", "GET", "/ui/.keep", 200, "text/html; charset=utf-8", "no-store", "id=root"},
		{"a change", "POST", "/ui/", 405, "text/plain; charset=utf-8", "", "only read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := get(t, files, test.method, test.address, "gzip, br")
			if r.StatusCode != test.status || r.Header.Get("Content-Type") != test.kind || r.Header.Get("Cache-Control") != test.cache {
				t.Errorf("status %d, type %q, cache %q", r.StatusCode, r.Header.Get("Content-Type"), r.Header.Get("Cache-Control"))
			}
			if got := body(t, r); !strings.Contains(got, test.text) {
				t.Errorf("body %q lacks %q", got, test.text)
			}
		})
	}
}

func TestElsewhereLeadsToTheDashboard(t *testing.T) {
	for address, want := range map[string]string{
		"/": "/ui/", "/welcome": "/ui/welcome", "/ui": "/ui/", "//evil.example/x": "/ui/evil.example/x",
		"/../../x": "/ui/x",
	} {
		r := get(t, fstest.MapFS{}, "GET", "http://host"+address, "")
		if r.StatusCode != 302 || r.Header.Get("Location") != want {
			t.Errorf("%s: %d to %q, want %q", address, r.StatusCode, r.Header.Get("Location"), want)
		}
	}
}

func TestEachPageHasItsOwnNonce(t *testing.T) {
	files := fstest.MapFS{"index.html": {Data: []byte(`nonce="__CSP_NONCE__"`)}}
	seen := map[string]bool{}
	for range 3 {
		r := get(t, files, "GET", "/ui/", "")
		text := body(t, r)
		nonce := strings.TrimSuffix(strings.TrimPrefix(text, `nonce="`), `"`)
		csp := r.Header.Get("Content-Security-Policy")
		if nonce == text || !strings.Contains(csp, "'nonce-"+nonce+"'") || seen[nonce] {
			t.Errorf("page %q with policy %q", text, csp)
		}
		seen[nonce] = true
		for _, loose := range []string{"'unsafe-eval'", "script-src 'self' 'unsafe-inline'", "*"} {
			if strings.Contains(csp, loose) {
				t.Errorf("the policy %q has %s", csp, loose)
			}
		}
	}
}

func TestWithoutTheDashboard(t *testing.T) {
	r := get(t, fstest.MapFS{".keep": {}}, "GET", "/ui/", "")
	if text := body(t, r); r.StatusCode != 200 || !strings.Contains(text, "make web") {
		t.Errorf("%d: %q", r.StatusCode, text)
	}
}

func TestPackedOnlyForThoseWhoTakeIt(t *testing.T) {
	files := fstest.MapFS{"assets/a.js": {Data: []byte(strings.Repeat("a", 1000))}}
	if r := get(t, files, "GET", "/ui/assets/a.js", ""); r.Header.Get("Content-Encoding") != "" || len(body(t, r)) != 1000 {
		t.Error("packed, though nobody asked")
	}
	if r := get(t, files, "HEAD", "/ui/assets/a.js", "gzip"); r.Header.Get("Content-Encoding") != "gzip" || r.Header.Get("Content-Length") == "1000" {
		t.Error("not packed")
	}
}
