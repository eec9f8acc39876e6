package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
)

func loginAs(name, password string) request {
	return request{method: "POST", path: "/v1/session", body: fmt.Sprintf(`{"name":%q,"password":%q}`, name, password)}
}

func TestCookieIsBoundToThisHost(t *testing.T) {
	c := newContract(t, apifake.New())
	w := c.send(t, loginAs("carl", apifake.Password), http.Header{"Cookie": {"__Host-lxdfleet=planted"}})
	cookies := w.Result().Cookies()
	if w.Code != 200 || len(cookies) != 1 {
		t.Fatal(w.Code, w.Body, cookies)
	}
	got := cookies[0]
	if got.Name != "__Host-lxdfleet" || !got.Secure || !got.HttpOnly || got.SameSite != http.SameSiteStrictMode || got.Path != "/" || got.Domain != "" {
		t.Errorf("%+v", got)
	}
	if got.Value == "planted" || strings.Contains(w.Body.String(), got.Value) {
		t.Error("the session's secret is the one that was planted, or is in the answer's text")
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if w.Header().Get(name) != want {
			t.Errorf("%s: %q", name, w.Header().Get(name))
		}
	}
}

func TestWhoGuessesLearnsNothing(t *testing.T) {
	f := apifake.New()
	c := newContract(t, f)
	wrong := c.send(t, loginAs("anna", "not her password"), nil)
	for _, r := range []request{loginAs("nobody", apifake.Password), loginAs("../etc", "x"), loginAs("", "")} {
		if w := c.send(t, r, nil); w.Code != 401 || w.Body.String() != wrong.Body.String() {
			t.Errorf("%s is answered %d %s, a wrong password %s", r.body, w.Code, w.Body, wrong.Body)
		}
	}
	for range 3 {
		c.send(t, loginAs("anna", "not her password"), nil)
	}
	w := c.send(t, loginAs("anna", apifake.Password), nil)
	if w.Code != 429 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"code":"exhausted"`) {
		t.Errorf("after many tries: %d %s", w.Code, w.Body)
	}
}

func TestForgedRequestsAreRefused(t *testing.T) {
	c := newContract(t, apifake.New())
	proof := c.as(t, "anna")
	change := request{method: "POST", path: "/v1/tenants/acme/restart"}
	exec := request{method: "GET", path: "/v1/tenants/acme/exec"}
	upgrade := http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	for _, test := range []struct {
		name   string
		r      request
		with   http.Header
		drop   string
		status int
	}{
		{"as the dashboard sends it", change, http.Header{"Origin": {"https://example.com"}, "Sec-Fetch-Site": {"same-origin"}}, "", 202},
		{"by curl", change, nil, "", 202},
		{"without the CSRF value", change, nil, "X-Csrf-Token", 403},
		{"with another CSRF value", change, http.Header{"X-Csrf-Token": {"AAAA"}}, "", 403},
		{"from another origin", change, http.Header{"Origin": {"https://evil.example"}}, "", 403},
		{"from the same host without TLS", change, http.Header{"Origin": {"http://example.com"}}, "", 403},
		{"from no origin", change, http.Header{"Origin": {"null"}}, "", 403},
		{"from another site", change, http.Header{"Sec-Fetch-Site": {"cross-site"}}, "", 403},
		{"from a sibling host", change, http.Header{"Sec-Fetch-Site": {"same-site"}}, "", 403},
		{"a WebSocket from another origin", exec, http.Header{"Origin": {"https://evil.example"}}, "X-Csrf-Token", 403},
		{"a login from another site", loginAs("carl", apifake.Password), http.Header{"Sec-Fetch-Site": {"cross-site"}}, "Cookie", 403},
		{"reading without the CSRF value", request{method: "GET", path: "/v1/tenants"}, nil, "X-Csrf-Token", 200},
		{"the secret in the address", request{method: "GET", path: "/v1/tenants?access_token=x&__Host-lxdfleet=" + proof.Get("Cookie")}, nil, "Cookie", 401},
		{"basic authentication", request{method: "GET", path: "/v1/tenants"}, http.Header{"Authorization": {"Basic YW5uYTp4"}}, "", 401},
		{"a token that is none", request{method: "GET", path: "/v1/tenants"}, http.Header{"Authorization": {"Bearer lxdfleet_x"}}, "", 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := proof.Clone()
			if test.r.path == exec.path {
				for k, v := range upgrade {
					headers[k] = v
				}
			}
			for k, v := range test.with {
				headers[k] = v
			}
			headers.Del(test.drop)
			if w := c.send(t, test.r, headers); w.Code != test.status {
				t.Errorf("%d %s, want %d", w.Code, w.Body, test.status)
			}
		})
	}
}

func TestSessionsEnd(t *testing.T) {
	c := newContract(t, apifake.New())
	first, admin := c.as(t, "olga"), c.as(t, "anna")
	delete(c.proofs, "olga")
	second := c.as(t, "olga")
	look := func(proof http.Header) int {
		return c.send(t, request{method: "GET", path: "/v1/session"}, proof).Code
	}
	if w := c.send(t, request{method: "PUT", path: "/v1/session/password", body: fmt.Sprintf(`{"old":%q,"password":"four other words entirely"}`, apifake.Password)}, second); w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	if look(first) != 401 || look(second) != 401 {
		t.Error("sessions from before the password was changed are good")
	}
	if w := c.send(t, loginAs("olga", "four other words entirely"), nil); w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	carl := c.as(t, "carl")
	if w := c.send(t, request{method: "PATCH", path: "/v1/users/carl", body: `{"disabled":true}`}, admin); w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	if look(carl) != 401 {
		t.Error("the session of a disabled user is good")
	}
}

func TestIdempotencyKeysAreEachUsersOwn(t *testing.T) {
	c := newContract(t, apifake.New())
	restart := request{method: "POST", path: "/v1/tenants/acme/restart", header: map[string]string{"Idempotency-Key": "k"}}
	id := func(user string) string {
		w := c.send(t, restart, c.as(t, user))
		if w.Code != 202 {
			t.Fatal(w.Code, w.Body)
		}
		return decode[struct{ ID string }](t, w).ID
	}
	if a, again, b := id("olga"), id("olga"), id("anna"); a != again || a == b {
		t.Errorf("jobs %s, %s and, of another user, %s", a, again, b)
	}
}

type auditEntry struct {
	Actor, User, Address, Operation, Subject, Job string
	Status                                        int
	Before, After                                 json.RawMessage
}

func TestEveryChangeIsWrittenDown(t *testing.T) {
	c := newContract(t, apifake.New())
	newest := func() auditEntry {
		t.Helper()
		return decode[struct{ Items []auditEntry }](t, c.check(t, request{method: "GET", path: "/v1/audit?limit=1", status: 200})).Items[0]
	}
	c.check(t, request{method: "PATCH", path: "/v1/tenants/acme", status: 200, body: `{"contact":"new@acme.example"}`})
	if e := newest(); e.Actor != "local user root" || e.Operation != "editTenant" || e.Subject != "tenant/acme" || e.Status != 200 ||
		!strings.Contains(string(e.Before), "it@acme.example") || !strings.Contains(string(e.After), "new@acme.example") {
		t.Errorf("%+v", e)
	}
	c.check(t, request{method: "POST", path: "/v1/tenants/acme/restart", status: 202, as: "carl"})
	if e := newest(); e.Actor != "carl" || e.User != "carl" || e.Address != "192.0.2.1" || e.Job == "" || e.Subject != "tenant/acme" {
		t.Errorf("%+v", e)
	}
	c.check(t, request{method: "DELETE", path: "/v1/tenants/acme", status: 403, as: "carl"})
	if e := newest(); e.Actor != "carl" || e.Operation != "deleteTenant" || e.Status != 403 || e.Subject != "tenant/acme" {
		t.Errorf("%+v", e)
	}
	c.check(t, request{method: "POST", path: "/v1/session", status: 401, as: "nobody", body: `{"name":"vera","password":"wrong"}`})
	if e := newest(); e.Operation != "login" || e.Status != 401 || e.Subject != "user/vera" || e.User != "" {
		t.Errorf("%+v", e)
	}
	before := newest()
	c.check(t, request{method: "GET", path: "/v1/tenants/acme", status: 200, as: "carl"})
	c.check(t, request{method: "DELETE", path: "/v1/tenants/acme", status: 401, as: "nobody"})
	if e := newest(); fmt.Sprint(e) != fmt.Sprint(before) {
		t.Errorf("reading, or nobody's request, was written down: %+v", e)
	}
	check := decode[struct {
		Entries int
		Flaws   []any
	}](t, c.check(t, request{method: "GET", path: "/v1/audit/check", status: 200}))
	if check.Entries < 4 || len(check.Flaws) != 0 {
		t.Errorf("%+v", check)
	}
}

func TestNoSecretIsInTheAuditLog(t *testing.T) {
	c := newContract(t, apifake.New())
	c.as(t, "vera")
	token := decode[struct{ Secret string }](t, c.check(t, request{method: "POST", path: "/v1/tokens", status: 201, as: "vera", body: `{"name":"x"}`}))
	made := decode[struct{ Link string }](t, c.check(t, request{method: "POST", path: "/v1/users", status: 201, body: `{"name":"emil","role":"viewer"}`}))
	_, secret, _ := strings.Cut(made.Link, "#")
	c.check(t, request{method: "POST", path: "/v1/links/use", status: 200, as: "nobody", body: fmt.Sprintf(`{"secret":%q,"password":"four other words entirely"}`, secret)})
	c.check(t, request{method: "PUT", path: "/v1/session/password", status: 403, as: "vera", body: `{"old":"mistyped old one","password":"four other words entirely"}`})
	text := c.check(t, request{method: "GET", path: "/v1/audit/export", status: 200}).Body.String()
	for _, s := range []string{token.Secret, secret, apifake.Password, "four other words", "mistyped", c.as(t, "vera").Get("Cookie")[len("__Host-lxdfleet="):]} {
		if s == "" || strings.Contains(text, s) {
			t.Errorf("%q is in the audit log", s)
		}
	}
	for _, operation := range []string{"createToken", "createUser", "useLink", "changePassword", "login"} {
		if !strings.Contains(text, `"operation":"`+operation+`"`) {
			t.Errorf("%s is not in the audit log", operation)
		}
	}
}
