package api_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

func TestChangesOfAnotherVersionAreRefused(t *testing.T) {
	c := newContract(t, apifake.New())
	tag := func(path string) string {
		return c.check(t, request{method: "GET", path: path, status: 200}).Header().Get("ETag")
	}
	for path, change := range map[string]request{
		"/v1/tenants/acme":                  {method: "PATCH", path: "/v1/tenants/acme", status: 200, body: `{"contact":"x@acme.example"}`},
		"/v1/tenants/globex":                {method: "DELETE", path: "/v1/tenants/globex?now=true", status: 202},
		"/v1/policies/nightly":              {method: "PATCH", path: "/v1/policies/nightly", status: 200, body: `{"description":"x"}`},
		"/v1/users/vera":                    {method: "PATCH", path: "/v1/users/vera", status: 200, body: `{"display_name":"Vera"}`},
		"/v1/webhooks/" + apifake.WebhookID: {method: "DELETE", path: "/v1/webhooks/" + apifake.WebhookID, status: 204},
	} {
		t.Run(path, func(t *testing.T) {
			now := tag(path)
			if len(now) < 5 || now != tag(path) {
				t.Fatalf("versions %q and %q", now, tag(path))
			}
			stale := change
			stale.status, stale.field, stale.code = 412, "If-Match", "conflict"
			stale.header = map[string]string{"If-Match": `"other", "another"`}
			if w := c.check(t, stale); w.Header().Get("ETag") != now || !strings.Contains(w.Body.String(), strings.ReplaceAll(now, `"`, `\"`)) {
				t.Errorf("ETag %q, want %q: %s", w.Header().Get("ETag"), now, w.Body)
			}
			change.header = map[string]string{"If-Match": `"other", ` + now}
			c.check(t, change)
		})
	}
	c.check(t, request{method: "PATCH", path: "/v1/tenants/nobody", body: `{}`, status: 412, header: map[string]string{"If-Match": "*"}})
	c.check(t, request{method: "PATCH", path: "/v1/tenants/acme", body: `{}`, status: 200, header: map[string]string{"If-Match": "*"}})
}

// changes has a request for each operation that changes what is at its address, as the user who
// sends it. ID stands for what prepare gives.
func changes() map[string]request {
	return map[string]request{
		"putTenant":        {method: "PUT", path: "/v1/tenants/acme", body: `{"image":"wordpress","contact":"x@acme.example"}`},
		"editTenant":       {method: "PATCH", path: "/v1/tenants/acme", body: `{"contact":"x@acme.example"}`},
		"deleteTenant":     {method: "DELETE", path: "/v1/tenants/acme"},
		"startMaintenance": {method: "PUT", path: "/v1/tenants/acme/maintenance", body: `{"message":"Back soon"}`},
		"endMaintenance":   {method: "DELETE", path: "/v1/tenants/acme/maintenance"},
		"editGuard":        {method: "PATCH", path: "/v1/tenants/acme/guard", body: `{"requests_per_second":50,"burst":100}`},
		"dropGuard":        {method: "DELETE", path: "/v1/tenants/acme/guard"},
		"resumeTenant":     {method: "DELETE", path: "/v1/tenants/acme/hold"},
		"changeDomain":     {method: "PATCH", path: "/v1/domains/acme.localhost", body: `{"primary":true}`},
		"removeDomain":     {method: "DELETE", path: "/v1/domains/acme.localhost"},
		"editSnapshot":     {method: "PATCH", path: "/v1/tenants/acme/snapshots/snap0", body: `{"note":"other"}`},
		"deleteSnapshot":   {method: "DELETE", path: "/v1/tenants/acme/snapshots/snap0?force=true"},
		"editPolicy":       {method: "PATCH", path: "/v1/policies/nightly", body: `{"description":"other"}`},
		"deletePolicy":     {method: "DELETE", path: "/v1/policies/nightly", status: 409}, // in use
		"removeCluster":    {method: "DELETE", path: "/v1/clusters/east?force=true"},
		"editBackup":       {method: "PATCH", path: "/v1/backups/c1ab", body: `{"note":"other"}`},
		"deleteBackup":     {method: "DELETE", path: "/v1/backups/c1ab?force=true"},
		"deleteImage":      {method: "DELETE", path: "/v1/images/wordpress/6.0-1"},
		"editMember":       {method: "PATCH", path: "/v1/members/n1", body: `{"cordoned":true}`},
		"removeProxy":      {method: "DELETE", path: "/v1/proxies/edge-1"},
		"changePassword": {
			method: "PUT", path: "/v1/session/password", as: "vera",
			body: `{"old":"` + apifake.Password + `","password":"four other words entirely"}`,
		},
		"setTOTP":         {method: "PUT", path: "/v1/session/totp", as: "vera", body: `{"password":"x","secret":"y","code":"z"}`, status: 403},
		"logout":          {method: "DELETE", path: "/v1/session", as: "vera"},
		"endSession":      {method: "DELETE", path: "/v1/sessions/ID", as: "vera"},
		"editUser":        {method: "PATCH", path: "/v1/users/vera", body: `{"display_name":"Vera"}`},
		"deleteUser":      {method: "DELETE", path: "/v1/users/vera"},
		"clearTOTP":       {method: "DELETE", path: "/v1/users/vera/totp"},
		"endUserSessions": {method: "DELETE", path: "/v1/users/vera/sessions"},
		"deleteToken":     {method: "DELETE", path: "/v1/tokens/ID", as: "vera"},
		"editWebhook":     {method: "PATCH", path: "/v1/webhooks/" + apifake.WebhookID, body: `{"name":"other"}`},
		"deleteWebhook":   {method: "DELETE", path: "/v1/webhooks/" + apifake.WebhookID},
	}
}

// prepare makes what a change is of, where a new fleet has none.
func (c *contract) prepare(t *testing.T, id string, r request) request {
	t.Helper()
	switch id {
	case "endSession":
		list := decode[struct{ Items []struct{ ID string } }](t, c.send(t, request{method: "GET", path: "/v1/sessions"}, c.as(t, r.as)))
		r.path = strings.Replace(r.path, "ID", list.Items[0].ID, 1)
	case "deleteToken":
		made := decode[struct{ Token struct{ ID string } }](t, c.send(t, request{method: "POST", path: "/v1/tokens", body: `{"name":"x"}`}, c.as(t, r.as)))
		r.path = strings.Replace(r.path, "ID", made.Token.ID, 1)
	}
	return r
}

// shownAt gives the address that shows what a change is of: its own, or the next one above that has a
// version.
func (c *contract) shownAt(route, address string) string {
	address, _, _ = strings.Cut(address, "?")
	for route != "" {
		if item := c.doc.Paths.Value(route); item != nil && item.Get != nil && item.Get.Responses.Value("200").Value.Headers["ETag"] != nil {
			return address
		}
		route, address = route[:strings.LastIndex(route, "/")], address[:strings.LastIndex(address, "/")]
	}
	return ""
}

// TestEveryChangeIsOfAVersion: no PUT, PATCH or DELETE of the document is done where If-Match names
// another version than there is; the answer is 412 with the one there is; and with that it is done.
func TestEveryChangeIsOfAVersion(t *testing.T) {
	base := newContract(t, apifake.New())
	for route, item := range base.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if method == http.MethodGet || method == http.MethodPost {
				continue
			}
			t.Run(op.OperationID, func(t *testing.T) {
				r, known := changes()[op.OperationID]
				if !known || op.Parameters.GetByInAndName("header", "If-Match") == nil {
					t.Fatalf("%s %s does not declare If-Match, or changes() lacks it", method, route)
				}
				c := base.fresh(t)
				r.as = cmp.Or(r.as, "anna")
				c.changeOnce(t, route, op, c.prepare(t, op.OperationID, r))
			})
		}
	}
}

func (c *contract) changeOnce(t *testing.T, route string, op *openapi3.Operation, r request) {
	t.Helper()
	proof, shown := c.as(t, r.as), c.shownAt(route, r.path)
	now := func() string {
		return c.send(t, request{method: "GET", path: shown}, proof).Header().Get("ETag")
	}
	version := now()
	if version == "" || version != now() {
		t.Fatalf("%s has the versions %q and %q", shown, version, now())
	}
	r.header = map[string]string{"If-Match": `"another"`}
	w := c.send(t, r, proof)
	if w.Code != 412 || w.Header().Get("ETag") != version || !strings.Contains(w.Body.String(), `"field":"If-Match"`) ||
		!strings.Contains(w.Body.String(), strings.Trim(version, `"`)) {
		t.Errorf("of another version: %d, ETag %q, want 412 and %q: %s", w.Code, w.Header().Get("ETag"), version, w.Body)
	}
	if again := now(); again != version {
		t.Errorf("it was changed nevertheless: from %s to %s", version, again)
	}
	r.header = map[string]string{"If-Match": version}
	w = c.send(t, r, proof)
	if good := w.Code >= 200 && w.Code < 300; !good && w.Code != r.status {
		t.Errorf("of the version there is: %d %s", w.Code, w.Body)
	}
	answer := op.Responses.Value(strconv.Itoa(w.Code))
	if answer != nil && answer.Value.Headers["ETag"] != nil && r.path != "/v1/session/password" && w.Header().Get("ETag") != now() {
		t.Errorf("the answer has the version %q, and it is %q", w.Header().Get("ETag"), now())
	}
}

// What is merely observed makes no other version.
func TestObservedIsNoOtherVersion(t *testing.T) {
	c := newContract(t, apifake.New())
	add := request{method: "POST", path: "/v1/tenants/acme/domains", status: 200, body: `{"domain":"www.acme.com"}`}
	c.check(t, add)
	show := request{method: "GET", path: "/v1/domains/www.acme.com", status: 200}
	before := c.check(t, show)
	c.check(t, request{method: "POST", path: "/v1/domains/www.acme.com/check", status: 200})
	after := c.check(t, show)
	if before.Body.String() == after.Body.String() {
		t.Fatal("nothing was observed")
	}
	if one, other := before.Header().Get("ETag"), after.Header().Get("ETag"); one != other || one == "" {
		t.Errorf("versions %q and %q", one, other)
	}
}

func TestOfTwoChangesOfOneVersionOneIsDone(t *testing.T) {
	c := newContract(t, apifake.New())
	proof := c.as(t, "anna")
	w := c.send(t, request{method: "GET", path: "/v1/users/vera"}, proof)
	headers := map[string]string{"If-Match": w.Header().Get("ETag")}
	var changing sync.WaitGroup
	codes := make([]int, 8)
	for i := range codes {
		changing.Go(func() {
			codes[i] = c.send(t, request{method: "PATCH", path: "/v1/users/vera", body: fmt.Sprintf(`{"display_name":"Vera %d"}`, i), header: headers}, proof).Code
		})
	}
	changing.Wait()
	done := 0
	for _, code := range codes {
		switch code {
		case http.StatusOK:
			done++
		case http.StatusPreconditionFailed:
		default:
			t.Errorf("status %d", code)
		}
	}
	if done != 1 {
		t.Errorf("%d changes of one version were done", done)
	}
}

// slowTenants put a tenant as slowly as the test wants, with another setting of its domain.
type slowTenants struct {
	api.Tenants
	fleet      *apifake.Fleet
	begun, end chan struct{}
}

func (s slowTenants) Put(ctx context.Context, name fleet.Name, r tenants.PutRequest) (fleet.Job, tenants.Outcome, error) {
	close(s.begun)
	<-s.end
	redirect := 302
	if _, err := s.fleet.Domains.ChangeDomain(ctx, "acme.localhost", tenants.DomainChange{Redirect: &redirect}); err != nil {
		return fleet.Job{}, "", err
	}
	return s.Tenants.Put(ctx, name, r)
}

// A domain is changed by its own address and by its tenant's: of two changes of one version by both ways
// one is done.
func TestADomainIsChangedWithItsTenant(t *testing.T) {
	for name, change := range map[string]request{
		"changed": {method: "PATCH", path: "/v1/domains/acme.localhost", body: `{"redirect":301}`},
		"removed": {method: "DELETE", path: "/v1/domains/acme.localhost"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := apifake.New()
				c := newContract(t, f)
				options := f.Options(t.TempDir())
				slow := slowTenants{options.Tenants, f, make(chan struct{}), make(chan struct{})}
				options.Tenants = slow
				server, err := api.New(options)
				if err != nil {
					t.Fatal(err)
				}
				c.handler = server.Handler()
				proof := c.as(t, "anna")
				version := func(path string) map[string]string {
					return map[string]string{"If-Match": c.send(t, request{method: "GET", path: path}, proof).Header().Get("ETag")}
				}
				change.header = version("/v1/domains/acme.localhost")
				put := request{method: "PUT", path: "/v1/tenants/acme", body: `{"image":"wordpress"}`, header: version("/v1/tenants/acme")}
				var putting, changing int
				go func() { putting = c.send(t, put, proof).Code }()
				<-slow.begun
				go func() { changing = c.send(t, change, proof).Code }()
				synctest.Wait()
				if changing != 0 {
					t.Errorf("while the tenant is changed, the answer to a change of its domain is %d", changing)
				}
				close(slow.end)
				synctest.Wait()
				if putting != http.StatusOK || changing != http.StatusPreconditionFailed {
					t.Errorf("the tenant's change is answered %d, the domain's %d", putting, changing)
				}
			})
		})
	}
}
