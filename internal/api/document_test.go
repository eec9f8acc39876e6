package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/pquerna/otp/totp"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// contract checks answers against the document.
type contract struct {
	router  routers.Router
	doc     *openapi3.T
	handler http.Handler
	seen    map[string]map[int]bool // operation → statuses that came
	proofs  map[string]http.Header  // user → headers of a session
}

func newContract(t *testing.T, f *apifake.Fleet) *contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.Document())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	text := func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
		data, err := io.ReadAll(body)
		return string(data), err
	}
	for _, kind := range []string{"text/event-stream", "application/octet-stream", "application/x-pem-file", "application/vnd.oai.openapi", "application/x-tar", "application/x-ndjson"} {
		openapi3filter.RegisterBodyDecoder(kind, text)
	}
	s, err := api.New(f.Options(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	return &contract{router: router, doc: doc, handler: s.Handler(), seen: map[string]map[int]bool{}, proofs: map[string]http.Header{}}
}

// as gives the headers of a session of one of the fleet's users.
func (c *contract) as(t *testing.T, user string) http.Header {
	t.Helper()
	if proof, ok := c.proofs[user]; ok {
		return proof
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/session", strings.NewReader(fmt.Sprintf(`{"name":%q,"password":%q}`, user, apifake.Password)))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	var session struct{ CSRF string }
	if err := json.Unmarshal(w.Body.Bytes(), &session); err != nil || w.Code != 200 {
		t.Fatalf("login of %s: %d %s", user, w.Code, w.Body)
	}
	cookie := w.Result().Cookies()[0]
	c.proofs[user] = http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}, "X-Csrf-Token": {session.CSRF}}
	return c.proofs[user]
}

type request struct {
	name         string
	method, path string
	body         string
	header       map[string]string
	as           string // user who has logged in; empty: a local one, "nobody": no one
	status       int
	field, code  string // of the problem
}

// check sends the request and validates the answer.
func (c *contract) check(t *testing.T, r request) *httptest.ResponseRecorder {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req := httptest.NewRequestWithContext(ctx, r.method, r.path, strings.NewReader(r.body))
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	switch r.as {
	case "":
		req = req.WithContext(api.AsLocal(ctx, "root"))
	case "nobody":
	default:
		for k, v := range c.as(t, r.as) {
			req.Header[k] = v
		}
	}
	w := httptest.NewRecorder()
	if r.path == "/v1/events" {
		cancel() // it never ends by itself
	}
	c.handler.ServeHTTP(w, req)
	if w.Code != r.status {
		t.Fatalf("status %d, want %d: %s", w.Code, r.status, w.Body)
	}
	route, params, err := c.router.FindRoute(req)
	if err != nil {
		t.Fatal(err)
	}
	id := route.Operation.OperationID
	if c.seen[id] == nil {
		c.seen[id] = map[int]bool{}
	}
	c.seen[id][w.Code] = true
	err = openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
		Status:                 w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("the answer does not fit the document: %v\n%s", err, w.Body)
	}
	if r.status >= 400 {
		checkProblem(t, w, r)
	}
	return w
}

func checkProblem(t *testing.T, w *httptest.ResponseRecorder, r request) {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	for key, want := range map[string]string{"field": r.field, "code": r.code} {
		if want != "" && !strings.Contains(w.Body.String(), fmt.Sprintf("%q:%q", key, want)) {
			t.Errorf("%s is not %q: %s", key, want, w.Body)
		}
	}
}

const (
	job1     = "00000000000000000000000001"
	tarType  = "application/x-tar"
	blobType = "application/octet-stream"
)

func wellFormed() []request {
	header := func(contentType string) map[string]string { return map[string]string{"Content-Type": contentType} }
	return []request{
		{method: "GET", path: "/healthz", status: 200},
		{method: "GET", path: "/v1/openapi.yaml", status: 200},
		{method: "GET", path: "/v1/server", status: 200},
		{method: "GET", path: "/v1/doctor", status: 200},
		{method: "GET", path: "/v1/settings", status: 200},
		{method: "GET", path: "/v1/ca", status: 200},
		{method: "POST", path: "/v1/recover", status: 200},
		{method: "GET", path: "/v1/events", status: 200},
		{method: "GET", path: "/v1/proxies", status: 200},
		{method: "GET", path: "/v1/proxies/edge-1", status: 200},
		{method: "DELETE", path: "/v1/proxies/edge-1", status: 204},
		{method: "POST", path: "/v1/proxy-tokens", status: 201, body: `{"name":"edge-3","ttl":"2h"}`},
		{method: "POST", path: "/v1/proxy-tokens", status: 201, body: `{}`},
		{method: "GET", path: "/v1/tenants", status: 200},
		{method: "GET", path: "/v1/tenants?limit=1&search=a&label=tier%3Dgold&image=wordpress%2F6.1-1&plan=small&member=n1&desired=running", status: 200},
		{method: "POST", path: "/v1/tenants", status: 202, body: `{"name":"initech","image":"wordpress","domains":["initech.localhost"],
			"labels":{"a":"b"},"admin":{"email":"jo@initech.example"},"wishes":{"prefer":["disk=nvme"],"pinned":true},"health":{"port":80,"path":"/","timeout":"30s"}}`},
		{method: "PUT", path: "/v1/tenants/acme", status: 200, body: `{"image":"wordpress"}`},
		{method: "PUT", path: "/v1/tenants/acme", status: 200, body: `{"image":"wordpress","plan":"large","domains":["acme.localhost"],"labels":{"a":"b"},"display_name":"","contact":"",
			"policy":"","time_zone":"","window":"","wishes":{"pinned":true},"admin":{"email":"jo@acme.example","name":"Jo"}}`},
		{method: "PUT", path: "/v1/tenants/umbrella", status: 200, body: `{"image":"wordpress"}`, header: map[string]string{"Prefer": "wait=5", "If-None-Match": "*"}},
		{method: "POST", path: "/v1/tenants/acme/credentials", status: 201},
		{method: "POST", path: "/v1/links/credentials", status: 200, as: "nobody", body: `{"secret":"` + apifake.Secret + `"}`},
		{method: "PUT", path: "/v1/tenants/acme", status: 200, body: `{"image":"wordpress"}`},
		{method: "GET", path: "/v1/tenants/initech", status: 200},
		{method: "GET", path: "/v1/tenants/globex", status: 200},
		{method: "DELETE", path: "/v1/tenants/acme?now=true", status: 202},
		{method: "POST", path: "/v1/tenants/acme/start", status: 202},
		{method: "POST", path: "/v1/tenants/acme/stop?timeout=5s", status: 202},
		{method: "POST", path: "/v1/tenants/acme/restart", status: 202},
		{method: "POST", path: "/v1/tenants/acme/resize", status: 202, body: `{"plan":"large"}`},
		{method: "POST", path: "/v1/tenants/globex/undelete", status: 202},
		{method: "GET", path: "/v1/tenants/acme/logs?lines=5&unit=nginx", status: 200},
		{method: "PATCH", path: "/v1/tenants/acme", status: 200, body: `{"display_name":"","contact":"a@b.example","labels":{"a":"b","tier":""}}`},
		{method: "PATCH", path: "/v1/tenants/acme", status: 200, body: `{"policy":"nightly","time_zone":"Europe/Berlin","quiesce":{"by":"mysql","limit":"3s","address":"10.0.0.5:3306","login":"/root/.my.cnf"}}`},
		{method: "PATCH", path: "/v1/tenants/acme", status: 200, body: `{"quiesce":{"by":"hook"}}`},
		{method: "PUT", path: "/v1/tenants/acme/maintenance", status: 200, body: `{"message":"Back soon","page":"<p>Soon</p>","for":"1h"}`},
		{method: "DELETE", path: "/v1/tenants/acme/maintenance", status: 200},
		{method: "PATCH", path: "/v1/tenants/acme/guard", status: 200, body: `{"allow":["10.0.0.0/8"],"requests_per_second":50,"burst":100,"max_body":"2GiB","hsts":"1y,subdomains","security_headers":true}`},
		{method: "DELETE", path: "/v1/tenants/acme/guard", status: 200},
		{method: "POST", path: "/v1/tenants/acme/hold", status: 200, body: `{"reason":"backup","for":"30s"}`},
		{method: "POST", path: "/v1/tenants/acme/hold", status: 200, body: `{}`},
		{method: "DELETE", path: "/v1/tenants/acme/hold?reason=backup", status: 200},
		{method: "GET", path: "/v1/domains?limit=1&state=active", status: 200},
		{method: "GET", path: "/v1/tenants/acme/domains", status: 200},
		{method: "POST", path: "/v1/tenants/acme/domains", status: 200, body: `{"domain":"bücher.localhost","redirect":301}`},
		{method: "POST", path: "/v1/tenants/acme/domains", status: 200, body: `{"domain":"*.acme.localhost"}`},
		{method: "POST", path: "/v1/tenants/acme/domains", status: 200, body: `{"domain":"www.acme.com"}`},
		{method: "GET", path: "/v1/domains/b%C3%BCcher.localhost", status: 200},
		{method: "GET", path: "/v1/domains/*.acme.localhost", status: 200},
		{method: "GET", path: "/v1/domains/www.acme.com", status: 200},
		{method: "GET", path: "/v1/domains/b%C3%BCcher.example/dns", status: 200},
		{method: "PATCH", path: "/v1/domains/www.acme.com", status: 200, body: `{"primary":true,"redirect":0}`},
		{method: "POST", path: "/v1/domains/www.acme.com/check", status: 200},
		{method: "DELETE", path: "/v1/domains/%2A.acme.localhost", status: 204},
		{method: "GET", path: "/v1/tenants/acme/snapshots", status: 200},
		{method: "POST", path: "/v1/tenants/acme/snapshots", status: 202, body: `{"name":"before","note":"x","pinned":true,"crash":true}`},
		{method: "POST", path: "/v1/tenants/acme/snapshots", status: 202, body: `{}`},
		{method: "GET", path: "/v1/tenants/acme/snapshots/before", status: 200},
		{method: "PATCH", path: "/v1/tenants/acme/snapshots/before", status: 200, body: `{"pinned":false,"note":""}`},
		{method: "DELETE", path: "/v1/tenants/acme/snapshots/snap0?force=true", status: 202},
		{method: "POST", path: "/v1/tenants/acme/snapshots/snap0/restore", status: 202},
		{method: "POST", path: "/v1/tenants/acme/snapshots/snap0/clone", status: 202, body: `{"name":"acme-test","domains":["test.localhost"],"plan":"small","member":"n1","mail":true}`},
		{method: "GET", path: "/v1/tenants/acme/snapshots/snap0/diff?to=before", status: 200},
		{method: "GET", path: "/v1/tenants/acme/snapshots/snap0/files?path=%2Fvar%2Fwww", status: 200},
		{method: "GET", path: "/v1/tenants/acme/snapshots/snap0/content?path=%2Fvar%2Fwww%2Findex.php", status: 200},
		{method: "GET", path: "/v1/tenants/acme/schedule", status: 200},
		{method: "GET", path: "/v1/tenants/globex/schedule", status: 200},
		{method: "GET", path: "/v1/backups?limit=1&tenant=acme&damaged=true", status: 200},
		{method: "GET", path: "/v1/backups?policy=nightly&consistency=crash&pinned=false&from=2025-01-01T00:00:00Z&to=2026-01-01T00:00:00Z&sort=taken", status: 200},
		{method: "GET", path: "/v1/tenants/acme/snapshots?origin=manual&origin=lxc&policy=nightly&consistency=application&pinned=true&from=2025-01-01T00:00:00Z&sort=-size", status: 200},
		{method: "GET", path: "/v1/tenants?status=running&status=removed&sort=-created", status: 200},
		{method: "GET", path: "/v1/jobs?state=done&state=undone&kind=tenant.&sort=created", status: 200},
		{method: "POST", path: "/v1/backups", status: 202, body: `{"tenant":"acme","note":"x","pinned":true,"crash":true}`},
		{method: "GET", path: "/v1/backups/c1ab", status: 200},
		{method: "GET", path: "/v1/backups/90e1d7f2b3a45566cc01", status: 200},
		{method: "PATCH", path: "/v1/backups/c1ab", status: 200, body: `{"pinned":true,"note":"good"}`},
		{method: "DELETE", path: "/v1/backups/c1ab?force=true", status: 202},
		{method: "POST", path: "/v1/backups/c1ab/restore", status: 202, body: `{}`},
		{method: "POST", path: "/v1/backups/c1ab/restore", status: 202, body: `{"into":"acme-old","domains":["old.localhost"],"plan":"small","member":"n1","mail":true}`},
		{method: "GET", path: "/v1/backups/c1ab/diff?to=90e1", status: 200},
		{method: "GET", path: "/v1/backups/c1ab/diff?snapshot=snap0", status: 200},
		{method: "GET", path: "/v1/backups/c1ab/files", status: 200},
		{method: "GET", path: "/v1/backups/c1ab/content?path=%2Fvar%2Fwww%2Findex.php", status: 200},
		{method: "POST", path: "/v1/backups/verify", status: 202, body: `{}`},
		{method: "POST", path: "/v1/backups/verify", status: 202, body: `{"backup":"c1ab","deep":true}`},
		{method: "POST", path: "/v1/backups/control", status: 202},
		{method: "POST", path: "/v1/backups/prune", status: 202},
		{method: "POST", path: "/v1/backups/rotate-key", status: 200},
		{method: "POST", path: "/v1/backups/confirm-key", status: 204, body: `{"key":"` + apifake.RecoveryKey + `"}`},
		{method: "GET", path: "/v1/backups/status", status: 200},
		{method: "POST", path: "/v1/backups/recover", status: 200, body: `{}`},
		{method: "POST", path: "/v1/backups/recover", status: 200, body: `{"from":"file:///var/lib/lxdfleet/backups","dry_run":true,"tenants":["acme"]}`},
		{method: "POST", path: "/v1/drills", status: 202, body: `{"tenant":"acme"}`},
		{method: "GET", path: "/v1/drills?limit=1&tenant=acme&backup=c1ab&failed=false", status: 200},
		{method: "GET", path: "/v1/drills/00000000000000000000drill1", status: 200},
		{method: "GET", path: "/v1/policies", status: 200},
		{method: "POST", path: "/v1/policies", status: 201, body: `{"name":"hourly","time_zone":"Europe/Berlin","snapshots":{"cron":"@hourly","keep":{"hourly":24,"min_age":"7d"}},
			"backups":{"cron":"0 3 * * *"},"drills":{"cron":"@weekly","keep":{"last":5}}}`},
		{method: "GET", path: "/v1/policies/hourly", status: 200},
		{method: "PATCH", path: "/v1/policies/hourly", status: 200, body: `{"description":"x","time_zone":"","snapshots":{"keep":{"daily":7}},"backups":{"cron":"@daily"},"drills":{"cron":""}}`},
		{method: "DELETE", path: "/v1/policies/hourly", status: 204},
		{method: "GET", path: "/v1/clusters", status: 200},
		{method: "POST", path: "/v1/clusters", status: 201, body: `{"name":"west","token":"eyJ","url":"https://198.51.100.1:8443","project":"p","pool":"tank","network":"br0"}`},
		{method: "GET", path: "/v1/clusters/west", status: 200},
		{method: "POST", path: "/v1/clusters/west/rotate", status: 200},
		{method: "DELETE", path: "/v1/clusters/east?force=true", status: 204},
		{method: "GET", path: "/v1/adoptable", status: 200},
		{method: "POST", path: "/v1/adoptable/handmade/adopt", status: 202, body: `{"domains":["handmade.localhost"]}`},
		{method: "GET", path: "/v1/images?name=wordpress", status: 200},
		{method: "GET", path: "/v1/images/wordpress", status: 200},
		{method: "GET", path: "/v1/images/wordpress/6.0-1", status: 200},
		{method: "DELETE", path: "/v1/images/wordpress/6.0-1", status: 202},
		{method: "POST", path: "/v1/images/build", status: 202, body: "tar", header: header(tarType)},
		{method: "POST", path: "/v1/images/import?name=static&version=1", status: 202, body: "tarball", header: header(blobType)},
		{method: "GET", path: "/v1/jobs?limit=1&unfinished=false&parent=" + job1, status: 200},
		{method: "GET", path: "/v1/jobs/" + job1, status: 200},
		{method: "GET", path: "/v1/jobs/" + job1 + "/events?after=1", status: 200},
		{method: "GET", path: "/v1/plans", status: 200},
		{method: "GET", path: "/v1/members", status: 200},
		{method: "GET", path: "/v1/members/n1", status: 200},
		{method: "PATCH", path: "/v1/members/n1", status: 200, body: `{"cordoned":true,"reason":"new disk","labels":{"disk":"nvme","old":""}}`},
		{method: "GET", path: "/v1/members/n1/drain", status: 200},
		{method: "POST", path: "/v1/members/n1/drain", status: 202, body: `{"at_once":3,"max_hold":"10s","limit":"50MiB","partial":true}`},
		{method: "POST", path: "/v1/members/n1/restore", status: 202, body: `{}`},
		{method: "GET", path: "/v1/tenants/acme/metrics", status: 200},
		{method: "GET", path: "/v1/tenants/acme/metrics?after=2025-03-14T09:26:00Z", status: 200},
		{method: "GET", path: "/v1/tenants/globex/metrics", status: 200},
		{method: "GET", path: "/v1/members/n1/metrics", status: 200},
		{method: "GET", path: "/v1/members/n1/metrics?after=2025-03-14T09:26:00Z", status: 200},
		{method: "GET", path: "/v1/tenants/acme/move?to=n3&limit=10MiB", status: 200},
		{method: "POST", path: "/v1/tenants/acme/move", status: 202, body: `{"to":"n3","max_hold":"10s","limit":"50MiB"}`},
		{method: "POST", path: "/v1/tenants/acme/move", status: 202, body: `{"at":"window"}`},
		{method: "POST", path: "/v1/tenants/acme/move", status: 202, body: `{"at":"2026-11-23T02:00:00Z"}`},
		{method: "POST", path: "/v1/rebalance", status: 202, body: `{"consolidate":true,"at_once":1}`},
		{method: "POST", path: "/v1/bulk", status: 202, body: `{"action":"restart","tenants":["acme"],"at_once":2,"timeout":"30s"}`},
		{method: "POST", path: "/v1/bulk", status: 202, body: `{"action":"move","selector":{"labels":{"client":"acme"},"image":"wordpress/6.0-1","plan":"small","member":"n1","search":"ac"},"to":"n3"}`},
		{method: "POST", path: "/v1/bulk", status: 202, body: `{"action":"snapshot","all":true,"note":"before"}`},
		{method: "POST", path: "/v1/bulk", status: 202, body: `{"action":"move","all":true,"max_hold":"10s","limit":"50MiB","at":"2026-12-01T02:00:00Z"}`},
		{method: "POST", path: "/v1/bulk", status: 202, body: `{"action":"move","tenants":["acme"],"at":"window"}`},
		{method: "POST", path: "/v1/bulk", status: 202, body: `{"action":"resize","tenants":["acme"],"plan":"large"}`},
		{method: "GET", path: "/v1/rebalance", status: 200},
		{method: "GET", path: "/v1/rebalance?consolidate=true", status: 200},
		{method: "POST", path: "/v1/placement/explain", status: 200, body: `{"tenant":"acme"}`},
		{method: "POST", path: "/v1/placement/explain", status: 200, body: `{"plan":"small","labels":{"a":"b"},"image":"wordpress","wishes":{"require":["disk=tape"]}}`},
		{method: "GET", path: "/v1/routes", status: 200},
		{method: "GET", path: "/v1/traffic", status: 200},
		{method: "GET", path: "/metrics", status: 200},
		{method: "GET", path: "/v1/login", status: 200, as: "nobody"},
		{method: "GET", path: "/v1/login/openid", status: 303, as: "nobody"},
		{method: "GET", path: "/v1/login/openid/callback?code=carl&state=s", status: 303, as: "nobody"},
		{method: "GET", path: "/v1/session", status: 200},
		{method: "GET", path: "/v1/session", status: 200, as: "carl"},
		{method: "POST", path: "/v1/session", status: 200, as: "nobody", body: `{"name":"Anna","password":"` + apifake.Password + `","code":""}`},
		{method: "POST", path: "/v1/session/totp", status: 200, as: "vera"},
		{method: "PUT", path: "/v1/session/password", status: 200, as: "vera", body: `{"old":"` + apifake.Password + `","password":"four other words entirely"}`},
		{method: "GET", path: "/v1/sessions", status: 200, as: "anna"},
		{method: "GET", path: "/v1/users", status: 200},
		{method: "POST", path: "/v1/users", status: 201, body: `{"name":"Dora@Example.org","display_name":"Dora","role":"client","tenants":["acme"],"subject":"https://id.example.org 17"}`},
		{method: "GET", path: "/v1/users/dora@example.org", status: 200},
		{method: "PATCH", path: "/v1/users/dora@example.org", status: 200, body: `{"role":"viewer","tenants":[],"disabled":true,"display_name":"","subject":""}`},
		{method: "POST", path: "/v1/users/dora@example.org/link", status: 201},
		{method: "DELETE", path: "/v1/users/dora@example.org/totp", status: 204},
		{method: "GET", path: "/v1/users/dora@example.org/sessions", status: 200},
		{method: "DELETE", path: "/v1/users/dora@example.org/sessions", status: 204},
		{method: "DELETE", path: "/v1/users/dora@example.org", status: 204},
		{method: "POST", path: "/v1/tokens", status: 201, body: `{"name":"onboarding","role":"operator","tenants":["acme"],"expires_in":"720h","user":"olga"}`},
		{method: "POST", path: "/v1/tokens", status: 201, as: "carl", body: `{"name":"mine"}`},
		{method: "GET", path: "/v1/tokens", status: 200},
		{method: "GET", path: "/v1/audit?limit=1&user=anna&subject=user%2F&operation=createUser&from=2020-01-01T00:00:00Z&to=2030-01-01T00:00:00Z", status: 200},
		{method: "GET", path: "/v1/audit?limit=2", status: 200},
		{method: "GET", path: "/v1/audit/export", status: 200},
		{method: "GET", path: "/v1/audit/check", status: 200},
		{method: "GET", path: "/v1/webhooks", status: 200},
		{method: "POST", path: "/v1/webhooks", status: 201, body: `{"name":"chat","url":"http://127.0.0.1:9/x","events":["job.changed"],"tenants":["acme"],"allow_private":true}`},
		{method: "GET", path: "/v1/webhooks/" + apifake.WebhookID, status: 200},
		{method: "PATCH", path: "/v1/webhooks/" + apifake.WebhookID, status: 200, body: `{"name":"crm2","url":"https://crm.example.org/x","events":[],"tenants":[],"allow_private":false,"disabled":false,"new_secret":true}`},
		{method: "GET", path: "/v1/webhooks/" + apifake.WebhookID + "/deliveries?limit=1&state=dead", status: 200},
		{method: "POST", path: "/v1/webhooks/" + apifake.WebhookID + "/test", status: 202},
		{method: "POST", path: "/v1/deliveries/" + apifake.DeliveryID + "/replay", status: 202},
		{method: "DELETE", path: "/v1/webhooks/" + apifake.WebhookID, status: 204},
	}
}

func TestEveryOperationAnswersAsDocumented(t *testing.T) {
	f := apifake.New()
	c := newContract(t, f)
	for _, r := range wellFormed() {
		t.Run(r.method+" "+r.path, func(t *testing.T) {
			w := c.check(t, r)
			if w.Code == http.StatusAccepted && !strings.HasPrefix(r.path, "/v1/webhooks") && !strings.HasPrefix(r.path, "/v1/deliveries") && !strings.HasPrefix(w.Header().Get("Location"), "/v1/jobs/0") {
				t.Errorf("Location %q", w.Header().Get("Location"))
			}
		})
	}
	f.Backups.Unmade()
	c.check(t, request{method: "GET", path: "/v1/backups/status", status: 200})
	c.check(t, request{method: "POST", path: "/v1/backups/init", status: 201})
	f.Jobs.Hold()
	cancelled, err := f.Jobs.Submit("x", "tenant/x", nil, tenants.Once{})
	if err != nil {
		t.Fatal(err)
	}
	c.check(t, request{method: "POST", path: "/v1/jobs/" + cancelled.ID + "/cancel", status: 202})
	stuck, err := f.Jobs.Submit("x", "tenant/x", nil, tenants.Once{})
	if err != nil {
		t.Fatal(err)
	}
	f.Jobs.Finish(stuck.ID, fleet.JobStuck, fleet.Errorf(fleet.Unavailable, "n2 does not answer"))
	c.check(t, request{method: "POST", path: "/v1/jobs/" + stuck.ID + "/retry", status: 202})
	c.accounts(t)
	c.seen["execTenant"] = map[int]bool{101: true} // TestExec speaks WebSocket with it

	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if len(c.seen[op.OperationID]) == 0 {
				t.Errorf("%s %s was never called", method, path)
			}
		}
	}
}

// accounts calls the operations that need something an answer before held.
func (c *contract) accounts(t *testing.T) {
	t.Helper()
	made := decode[struct{ Link string }](t, c.check(t, request{method: "POST", path: "/v1/users", status: 201, body: `{"name":"emil","role":"admin"}`}))
	_, secret, _ := strings.Cut(made.Link, "#")
	c.check(t, request{method: "POST", path: "/v1/links/check", status: 200, as: "nobody", body: fmt.Sprintf(`{"secret":%q}`, secret)})
	use := request{method: "POST", path: "/v1/links/use", status: 200, as: "nobody", body: fmt.Sprintf(`{"secret":%q,"password":%q}`, secret, apifake.Password)}
	c.check(t, use)
	use.status, use.code = 401, "unauthenticated"
	c.check(t, use)

	plan := decode[struct{ Secret string }](t, c.check(t, request{method: "POST", path: "/v1/session/totp", status: 200, as: "emil"}))
	code, err := totp.GenerateCode(plan.Secret, apifake.Now)
	if err != nil {
		t.Fatal(err)
	}
	c.check(t, request{method: "PUT", path: "/v1/session/totp", status: 200, as: "emil", body: fmt.Sprintf(`{"password":%q,"secret":%q,"code":%q}`, apifake.Password, plan.Secret, code)})
	delete(c.proofs, "emil") // another session
	login := request{method: "POST", path: "/v1/session", status: 400, field: "code", as: "nobody", body: fmt.Sprintf(`{"name":"emil","password":%q}`, apifake.Password)}
	c.check(t, login)
	c.check(t, request{method: "DELETE", path: "/v1/users/emil/totp", status: 204})
	c.check(t, request{method: "POST", path: "/v1/session/totp/remove", status: 200, as: "emil", body: fmt.Sprintf(`{"password":%q}`, apifake.Password)})
	delete(c.proofs, "emil")
	sessions := decode[struct{ Items []struct{ ID string } }](t, c.check(t, request{method: "GET", path: "/v1/sessions", status: 200, as: "emil"}))
	c.check(t, request{method: "GET", path: "/v1/sessions/" + sessions.Items[0].ID, status: 200, as: "emil"})
	c.check(t, request{method: "DELETE", path: "/v1/sessions/" + sessions.Items[0].ID, status: 204, as: "emil"})
	delete(c.proofs, "emil")
	c.check(t, request{method: "DELETE", path: "/v1/session", status: 204, as: "emil"})
	c.check(t, request{method: "GET", path: "/v1/session", status: 401, code: "unauthenticated", as: "emil"})
	token := decode[struct{ Token struct{ ID string } }](t, c.check(t, request{method: "POST", path: "/v1/tokens", status: 201, body: `{"name":"x","user":"olga"}`}))
	c.check(t, request{method: "GET", path: "/v1/tokens/" + token.Token.ID, status: 200})
	c.check(t, request{method: "GET", path: "/v1/tokens/" + token.Token.ID, status: 404, as: "carl", code: "not_found"})
	c.check(t, request{method: "DELETE", path: "/v1/tokens/" + token.Token.ID, status: 204})
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) (v T) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEveryOperationFailsAsDocumented(t *testing.T) {
	f := apifake.New()
	c := newContract(t, f)
	for _, method := range []string{
		"Ping", "Doctor", "CA", "Recover", "List", "Create", "Put", "CredentialsLink", "UseCredentialsLink", "Get", "Remove", "Start", "Stop", "Restart", "Resize", "Undelete",
		"Edit", "Maintain", "Open", "EditGuard", "DropGuard", "Hold", "Resume", "AddDomain", "ChangeDomain", "RemoveDomain", "CheckDomain", "PreviewDomain", "Domain", "Domains",
		"Logs", "Adoptable", "Adopt", "Images", "Build", "Import", "Delete", "Jobs", "Job", "Cancel", "Retry", "Plans", "Members", "Member", "EditMember", "DrainPlan", "RebalancePlan", "Explain", "Routes", "Traffic",
		"RemoveProxy", "ProxyToken", "Snapshots", "Snapshot", "CreateSnapshot", "EditSnapshot", "DeleteSnapshot", "RestoreSnapshot", "CloneSnapshot",
		"Diff", "SnapshotFiles", "ReadSnapshotFile", "Policies", "Policy", "SavePolicy", "DeletePolicy", "Plan",
		"CreateBackup", "SaveControl", "Backups", "Backup", "EditBackup", "DeleteBackup", "RestoreBackup", "VerifyBackups", "PruneBackups", "RunDrill", "Drills",
		"DiffBackup", "BackupFiles", "ReadBackupFile", "Kept", "Status", "InitBackups", "RotateKey", "Recorded", "RecoverBackups",
		"Accounts", "Webhooks",
		"Clusters", "Cluster", "AddCluster", "RotateCluster", "RemoveCluster",
		"Move", "MoveAt", "Estimate", "Drain", "RestoreMember", "Rebalance", "Bulk",
	} {
		f.Fail(method, fleet.Errorf(fleet.Unavailable, "LXD does not answer").WithHint("start LXD"))
	}
	alwaysWell := []string{"/v1/openapi.yaml", "/v1/server", "/v1/events", "/v1/proxies", "/metrics", "/v1/settings", "/v1/images/wordpress", "/v1/proxies/edge-1"}
	all := append(wellFormed(), []request{
		{method: "POST", path: "/v1/jobs/" + job1 + "/cancel"},
		{method: "POST", path: "/v1/jobs/" + job1 + "/retry"},
		{method: "GET", path: "/v1/tenants/acme/exec"},
		{method: "POST", path: "/v1/backups/init"},
		{method: "POST", path: "/v1/links/check", body: `{"secret":"x"}`},
		{method: "POST", path: "/v1/links/use", body: `{"secret":"x","password":"y"}`},
		{method: "DELETE", path: "/v1/tokens/x"},
	}...)
	for _, r := range all {
		if strings.HasPrefix(r.path, "/v1/login") {
			continue // browsers are led back to the dashboard
		}
		if r.as != "" && r.as != "nobody" || r.path == "/v1/session" && r.as == "" {
			continue // without accounts there is nobody
		}
		if r.method == "GET" && (strings.HasPrefix(r.path, alwaysWell[6]) || r.path == alwaysWell[7]) || slices.Contains(alwaysWell[:6], r.path) {
			continue
		}
		t.Run(r.method+" "+r.path, func(t *testing.T) {
			r.status, r.code = 503, "unavailable"
			if w := c.check(t, r); w.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
}

func TestServerWithoutLXD(t *testing.T) {
	f := apifake.New()
	f.Fail("LXD", fleet.Errorf(fleet.Unavailable, "no socket"))
	w := newContract(t, f).check(t, request{method: "GET", path: "/v1/server", status: 200})
	if !strings.Contains(w.Body.String(), `"lxd_error":"no socket"`) {
		t.Error(w.Body)
	}
}
