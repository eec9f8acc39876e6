package api_test

import (
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
)

// odd is what does not belong into a name, an id, a header or a body.
var odd = []string{
	"", "x", "../../etc/passwd", "%2e%2e%2f", "a%00b", "ünïcode", "<script>alert(1)</script>", "' OR 1=1 --", "\x1b[2J", "${jndi:ldap://x}",
	strings.Repeat("a", 300), "-1", "99999999999999999999", "null", "*", "acme%2Fglobex", "a b", "acme\r\nSet-Cookie: x=y",
}

// FuzzRequests sends every operation with odd parts of its path, query, headers and body: whatever
// comes, the answer is no defect, and every error is a problem document.
func FuzzRequests(f *testing.F) {
	for _, part := range odd {
		f.Add(part, part, `{"name":`+quoted(part)+`,"image":`+quoted(part)+`}`)
	}
	f.Add("acme", "wait=1", "")
	f.Add("acme", "", `[`)
	f.Add("acme", "", `{"name":{"name":[null,1,true]}}`)
	f.Add("acme", "", strings.Repeat(`{"labels":`, 5000))
	f.Add("acme", "", `{"labels":{"a":`+strings.Repeat(`[`, 50_000)+strings.Repeat(`]`, 50_000)+`}}`)
	f.Add("acme", "", `{"name":"`+strings.Repeat("a", 2<<20)+`"}`)
	routes := routesOf(f)
	f.Fuzz(func(t *testing.T, part, header, body string) {
		s, err := api.New(apifake.New().Options(t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		h := s.Handler()
		for _, r := range routes {
			if r.path == "/v1/events" || strings.HasSuffix(r.path, "/exec") || strings.HasSuffix(r.path, "/logs") {
				continue // streams
			}
			req := httptest.NewRequestWithContext(api.AsLocal(t.Context(), "root"), r.method, "/", strings.NewReader(body))
			filled := fill(r.path, part)
			req.URL.Path, req.URL.RawQuery = filled, "limit="+header+"&cursor="+part+"&state="+header+"&label="+part
			req.RequestURI = filled
			if body != "" {
				req.Header.Set("Content-Type", "application/json")
			}
			for _, name := range []string{"If-Match", "If-None-Match", "Idempotency-Key", "Last-Event-ID", "Origin"} {
				req.Header[name] = []string{header}
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			if w.Code == 500 || w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %q: %d %v %.500s", r.method, filled, w.Code, w.Header(), w.Body)
			}
			if slices.ContainsFunc(w.Header()["Set-Cookie"], func(c string) bool { return strings.HasPrefix(c, "x=y") }) {
				t.Errorf("%s %q: a header was smuggled in", r.method, filled)
			}
		}
	})
}

func quoted(s string) string {
	text, _ := json.Marshal(s) // strings always marshal
	return string(text)
}

// routesOf lists the document's operations.
func routesOf(t testing.TB) (all []request) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.Document())
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			all = append(all, request{method: method, path: path})
		}
	}
	return all
}

var place = regexp.MustCompile(`\{[^}]*\}`)

// fill puts the part into each place of a path.
func fill(path, part string) string { return place.ReplaceAllLiteralString(path, part) }

func TestLargeAndDeepBodies(t *testing.T) {
	s, err := api.New(apifake.New().Options(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat(`{"labels":`, 100_000)
	for name, tt := range map[string]struct {
		body   string
		status int
	}{
		"a little more than 1 MiB": {`{"name":"` + strings.Repeat("a", 1<<20) + `"}`, 413},
		"deep objects":             {deep, 400},
		"deep lists":               {`{"name":"a","image":"b","domains":` + strings.Repeat("[", 400_000) + strings.Repeat("]", 400_000) + `}`, 400},
		"many fields":              {`{"x":1` + strings.Repeat(`,"x":1`, 100_000) + `}`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			w := asked(t.Context(), s, request{method: "POST", path: "/v1/tenants", body: tt.body})
			if w.Code != tt.status || w.Body.Len() > 2000 {
				t.Errorf("%d %.300s", w.Code, w.Body)
			}
		})
	}
}

// A page of another site can make a browser open a WebSocket with the user's cookie: its Origin
// gives it away.
func TestForeignWebSockets(t *testing.T) {
	c := newContract(t, apifake.New())
	proof := c.as(t, "olga")
	for origin, want := range map[string]int{"https://evil.example": 403, "null": 403, "http://example.com": 403, "https://example.com.evil.example": 403} {
		r := request{method: "GET", path: "/v1/tenants/acme/exec", header: map[string]string{
			"Origin": origin, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
		}}
		if w := c.send(t, r, proof); w.Code != want || !strings.Contains(w.Body.String(), `"field":"Origin"`) {
			t.Errorf("%s: %d %s", origin, w.Code, w.Body)
		}
	}
}
