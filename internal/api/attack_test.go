package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/getkin/kin-openapi/openapi3"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
)

// eachOperation runs a test for each operation of the document, with a sample request of it.
func (c *contract) eachOperation(t *testing.T, test func(t *testing.T, op *openapi3.Operation, r request)) {
	t.Helper()
	samples := c.samples(t)
	for _, item := range c.doc.Paths.Map() {
		for _, op := range item.Operations() {
			t.Run(op.OperationID, func(t *testing.T) { test(t, op, samples[op.OperationID]) })
		}
	}
}

// Whatever changes something and comes with a session's cookie alone, or from another site's page, was not
// asked for by the user.
func TestEveryChangeIsGuardedAgainstForgery(t *testing.T) {
	base := newContract(t, apifake.New())
	base.eachOperation(t, func(t *testing.T, op *openapi3.Operation, r request) {
		if r.method == http.MethodGet {
			return
		}
		f := apifake.New()
		c := &contract{handler: handlerOf(t, f), proofs: map[string]http.Header{}}
		proof := c.as(t, "anna")
		f.Calls()
		forged := map[string]func(http.Header){
			"another origin":   func(h http.Header) { h.Set("Origin", "https://evil.example") },
			"no origin":        func(h http.Header) { h.Set("Origin", "null") },
			"another site":     func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
			"a sibling's page": func(h http.Header) { h.Set("Sec-Fetch-Site", "same-site") },
		}
		if extension(op, "x-role") != "public" {
			forged["no value"] = func(h http.Header) { h.Del("X-Csrf-Token") }
			forged["another's value"] = func(h http.Header) { h.Set("X-Csrf-Token", strings.Repeat("A", 43)) }
		}
		for name, forge := range forged {
			headers := proof.Clone()
			forge(headers)
			if w := c.send(t, r, headers); w.Code != http.StatusForbidden {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		if calls := f.Calls(); len(calls) > 0 {
			t.Errorf("it was refused, and begun nevertheless: %q", calls)
		}
	})
}

// What takes as long tells as little: for a request about another tenant the very same is done as for one
// about a tenant that there is not.
func TestOtherTenantsTakeNoOtherWork(t *testing.T) {
	f := apifake.New()
	c := newContract(t, f)
	samples := c.samples(t)
	for who, proof := range map[string]http.Header{
		"a client": c.as(t, "carl"), "a client's token": c.bound(t, "carl"), "a bound viewer": c.bound(t, "vera", "acme"), "a bound admin": c.bound(t, "anna", "acme"),
	} {
		for id, r := range samples {
			if !strings.Contains(r.path+r.body, "acme") || id == "logout" {
				continue
			}
			work := func(name string) string {
				swap := strings.NewReplacer("acme", name)
				other := r
				other.path, other.body = swap.Replace(r.path), swap.Replace(r.body)
				other.header = map[string]string{"If-Match": `"x"`}
				for k, v := range r.header {
					other.header[k] = v
				}
				f.Calls()
				w := c.send(t, other, proof)
				headers := w.Header().Clone()
				for _, name := range []string{"Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset", "Ratelimit-Policy"} {
					headers.Del(name)
				}
				text := fmt.Sprint(w.Code, headers, w.Body, f.Calls())
				return strings.ReplaceAll(text, name, "X")
			}
			if there, not := work("globex"), work("nobodys"); there != not {
				t.Errorf("%s, %s: of another tenant\n%s\nof none\n%s", who, id, there, not)
			}
		}
	}
}

// Browsers are told of every answer that it is nothing but data, errors included.
func TestEveryAnswerSaysThatItIsDataOnly(t *testing.T) {
	c := newContract(t, apifake.New())
	all := []request{
		{method: "GET", path: "/v1/no-such-address"},
		{method: "GET", path: "/v1/"},
		{method: "PUT", path: "/v1/tenants"},
		{method: "GET", path: "/v1/tenants/%3Cscript%3Ealert(1)%3C%2Fscript%3E"},
		{method: "POST", path: "/v1/tenants", body: `{"name":"<script>"}`},
		{method: "GET", path: "/v1/tenants/acme/snapshots/snap0/content?path=%2Findex.html"},
	}
	for _, r := range c.samples(t) {
		all = append(all, r)
	}
	for _, r := range all {
		for who, proof := range map[string]http.Header{"nobody": nil, "an admin": c.as(t, "anna")} {
			if r.method == "DELETE" && r.path == "/v1/session" && who == "an admin" {
				continue
			}
			h := c.send(t, r, proof).Header()
			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
				"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
			} {
				if h.Get(name) != want {
					t.Errorf("%s %s of %s: %s is %q", r.method, r.path, who, name, h.Get(name))
				}
			}
			if kind := h.Get("Content-Type"); strings.Contains(kind, "html") || strings.Contains(kind, "javascript") || strings.Contains(kind, "svg") {
				t.Errorf("%s %s: %s", r.method, r.path, kind)
			}
			if h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s: other sites may read it", r.method, r.path)
			}
		}
	}
}

func TestLargeAndDeepBodiesOfEveryOperation(t *testing.T) {
	f := apifake.New()
	c := newContract(t, f)
	c.eachOperation(t, func(t *testing.T, op *openapi3.Operation, r request) {
		if op.RequestBody == nil || op.RequestBody.Value.Content.Get("application/json") == nil {
			return
		}
		who := c.as(t, "anna")
		if extension(op, "x-role") == "public" {
			who = nil
		}
		f.Calls()
		for name, body := range map[string]string{
			"large": `{"name":"` + strings.Repeat("a", 1<<20) + `"}`, "deep objects": strings.Repeat(`{"a":`, 12_000),
			"deep lists": `{"labels":` + strings.Repeat("[", 12_000), "closed": `{"x":` + strings.Repeat("[", 12_000) + strings.Repeat("]", 12_000) + `}`,
		} {
			r.body = body
			w := c.send(t, r, who)
			if want := map[bool]int{true: 413, false: 400}[name == "large"]; w.Code != want || w.Body.Len() > 2000 {
				t.Errorf("%s: %d %.300s", name, w.Code, w.Body)
			}
		}
	})
}

// odds are what a field may be that is not what it should be.
func odds() []string {
	out := []string{"null", "true", "-1", "1e309", "99999999999999999999", "0.5", "[]", "{}", "[[]]", `{"a":{"b":[null]}}`, "[null]", `[{}]`, `[1,"a"]`}
	for _, text := range append(slices.Clone(odd), "\u202e\u0000", "￿", "javascript:alert(1)", "https://169.254.169.254/", "0s", "-5m", "999999h", "P1Y") {
		out = append(out, quoted(text))
	}
	return append(out, `["../../etc/passwd"]`, `{"../../etc/passwd":"\u0000"}`, `{"":""}`, `[""]`, `"\ud800"`, `"`+"\xff\xfe"+`"`)
}

// Every field of every body of the document is sent as what it should not be: the answer is
// no defect, and every error is a problem document.
func TestOddFieldsOfEveryBody(t *testing.T) {
	base := newContract(t, apifake.New())
	base.eachOperation(t, func(t *testing.T, op *openapi3.Operation, r request) {
		if op.RequestBody == nil || op.RequestBody.Value.Content.Get("application/json") == nil {
			return
		}
		s, err := api.New(apifake.New().Options(t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		fields := slices.Sorted(maps.Keys(op.RequestBody.Value.Content.Get("application/json").Schema.Value.Properties))
		for f, field := range fields {
			for v, value := range odds() {
				if (f+v)%4 != 0 && len(fields) > 1 {
					continue // all of them in each field would be thousands of requests
				}
				others := map[string]json.RawMessage{}
				if r.body != "" && json.Unmarshal([]byte(r.body), &others) != nil {
					t.Fatalf("the sample is %s", r.body)
				}
				delete(others, field)
				rest, err := json.Marshal(others)
				if err != nil {
					t.Fatal(err)
				}
				one := r
				one.body = `{` + quoted(field) + `:` + value + strings.TrimSuffix(","+string(rest[1:]), ",}")
				if len(others) == 0 {
					one.body = `{` + quoted(field) + `:` + value + `}`
				}
				w := asked(t.Context(), s, one)
				if w.Code >= 500 && w.Code != 501 || w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s: %d %v %.500s", one.body, w.Code, w.Header(), w.Body)
				}
			}
		}
	})
}

// A session that was known before a login, or before a change of what its user proves itself with, is
// worth nothing after it.
func TestSessionsAreNotFixed(t *testing.T) {
	c := newContract(t, apifake.New())
	planted := c.as(t, "carl") // the attacker's own, or a cookie that was set on the victim's browser
	w := c.send(t, loginAs("anna", apifake.Password), planted)
	given := w.Result().Cookies()
	if w.Code != 200 || len(given) != 1 || strings.Contains(planted.Get("Cookie"), given[0].Value) {
		t.Fatalf("%d %s %v", w.Code, w.Body, given)
	}
	who := func(cookie string) string {
		w := c.send(t, request{method: "GET", path: "/v1/session"}, http.Header{"Cookie": {cookie}})
		if w.Code != 200 {
			return ""
		}
		return decode[struct{ User string }](t, w).User
	}
	if got := who(planted.Get("Cookie")); got != "carl" {
		t.Errorf("the planted session is %q's now", got)
	}
	if got := who("__Host-lxdfleet=" + given[0].Value); got != "anna" {
		t.Errorf("the new session is %q's", got)
	}
	csrf := decode[struct{ CSRF string }](t, w).CSRF
	for _, cookie := range []string{"__Host-lxdfleet=x; __Host-lxdfleet=" + given[0].Value, "lxdfleet=" + given[0].Value} {
		if got := who(cookie); got != "" {
			t.Errorf("%s is %q's", cookie, got)
		}
	}
	was := http.Header{"Cookie": {"__Host-lxdfleet=" + given[0].Value}, "X-Csrf-Token": {csrf}}
	change := request{method: "PUT", path: "/v1/session/password", body: fmt.Sprintf(`{"old":%q,"password":"four other words entirely"}`, apifake.Password)}
	if w := c.send(t, change, was); w.Code != 200 || w.Result().Cookies()[0].Value == given[0].Value {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got := who(was.Get("Cookie")); got != "" {
		t.Errorf("the session from before the change is %q's", got)
	}
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Secrets come in headers and bodies only, and go to no log, whatever goes wrong.
func TestSecretsAreInNoLogAndNoAddress(t *testing.T) {
	f := apifake.New()
	o := f.Options(t.TempDir())
	var log lines
	o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c := newContract(t, f)
	c.handler = s.Handler()
	session, token := c.as(t, "anna"), c.bound(t, "olga", "acme")
	_, cookie, _ := strings.Cut(session.Get("Cookie"), "=")
	bearer := strings.TrimPrefix(token.Get("Authorization"), "Bearer ")
	secrets := []string{cookie, bearer, session.Get("X-Csrf-Token"), apifake.Password, "the-one-time-code", "a-link-secret"}
	for _, name := range []string{"Get", "Accounts", "Webhooks", "Clusters"} {
		f.Fail(name, fmt.Errorf("a defect, such as a database that is broken"))
		for _, r := range c.samples(t) {
			for _, proof := range []http.Header{session, token, nil} {
				if r.path != "/v1/session" || r.method != http.MethodDelete {
					c.send(t, r, proof)
				}
			}
		}
		f.Fail(name, nil)
	}
	c.send(t, request{method: "POST", path: "/v1/links/use", body: `{"secret":"a-link-secret","password":"` + apifake.Password + `"}`}, nil)
	c.send(t, request{method: "POST", path: "/v1/session", body: `{"name":"anna","password":"` + apifake.Password + `","code":"the-one-time-code"}`}, nil)
	if log.String() == "" {
		t.Error("nothing was logged")
	}
	for _, secret := range secrets {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
	for _, name := range []string{"token", "access_token", "authorization", "bearer", "session", "__Host-lxdfleet", "api_key", "key"} {
		for _, secret := range []string{bearer, cookie} {
			w := c.send(t, request{method: "GET", path: "/v1/tenants?" + name + "=" + secret}, nil)
			if w.Code != http.StatusUnauthorized {
				t.Errorf("?%s= is taken: %d", name, w.Code)
			}
		}
	}
}

// An image is what is sent: there is no request by which the daemon would fetch one from an address.
func TestImagesAreSentNotFetched(t *testing.T) {
	f := apifake.New()
	c := newContract(t, f)
	for _, r := range []request{
		{method: "POST", path: "/v1/images/import?name=x&version=1", body: `{"url":"https://169.254.169.254/image.tar"}`},
		{method: "POST", path: "/v1/images/import?name=x&version=1&url=https%3A%2F%2F169.254.169.254%2Fimage.tar", body: `{}`},
		{method: "POST", path: "/v1/images/build", body: `{"url":"https://169.254.169.254/recipe.tar"}`},
	} {
		r.status, r.field, r.code = 400, "Content-Type", "invalid"
		c.check(t, r)
	}
	if calls := f.Calls(); slices.ContainsFunc(calls, func(call string) bool { return strings.HasPrefix(call, "Import") || strings.HasPrefix(call, "Build") }) {
		t.Errorf("%q", calls)
	}
}

// The same as TestForeignWebSockets where the browser opens them over HTTP/2.
func TestForeignWebSocketsOverHTTP2(t *testing.T) {
	f := apifake.New()
	handler := handlerOf(t, f)
	c := &contract{handler: handler, proofs: map[string]http.Header{}}
	proof := c.as(t, "olga")
	for _, origin := range []string{"https://evil.example", "null", "http://example.com"} {
		ctx, cancel := context.WithCancel(t.Context())
		headers := proof.Clone()
		headers.Set("Origin", origin)
		_, answer, err := websocket.Dial(ctx, "http://example.com/v1/tenants/acme/exec", &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: extended{handler: handler}}, HTTPHeader: headers,
		})
		cancel()
		if err == nil || answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %v %v", origin, answer, err)
		}
	}
	if calls := f.Calls(); slices.ContainsFunc(calls, func(call string) bool { return strings.HasPrefix(call, "Exec") }) {
		t.Errorf("%q", calls)
	}
}

// TestPathsLeadNowhereElse: names that climb are no names, however they are written.
func TestPathsLeadNowhereElse(t *testing.T) {
	f := apifake.New()
	c := newContract(t, f)
	proof := c.as(t, "anna")
	for _, path := range []string{
		"/v1/tenants/..%2fusers", "/v1/tenants/%2e%2e/users", "/v1/tenants/acme%2f..%2fglobex", "/v1/tenants/acme%2Fsnapshots", "/v1/tenants/..%5cusers",
		"/v1/images/..%2f..%2fetc/passwd", "/v1/tenants/%00", "/v1/tenants/acme%00", "/v1/tenants/acme%0d%0aX-Evil:%201", "/v1/domains/..%2f..%2fetc",
		"/v1/members/..%2f..", "/v1/backups/..%2f..%2fkey", "/v1/policies/%2e%2e%2fx", "/v1/jobs/..%2f1",
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
		for k, v := range proof {
			r.Header[k] = v
		}
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, r)
		if w.Code != 404 && w.Code != 400 || w.Header().Get("X-Evil") != "" || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
	}
}
