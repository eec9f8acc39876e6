package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// trusted hands requests on as a local user's.
func trusted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(api.AsLocal(r.Context(), "root")))
	})
}

func extension(op *openapi3.Operation, name string) string {
	text, _ := op.Extensions[name].(string)
	return text
}

// samples gives a request of each operation of the document.
func (c *contract) samples(t *testing.T) map[string]request {
	t.Helper()
	all := append([]request{
		{method: "POST", path: "/v1/jobs/" + job1 + "/cancel"},
		{method: "POST", path: "/v1/jobs/" + job1 + "/retry"},
		{method: "GET", path: "/v1/tenants/acme/exec"},
		{method: "POST", path: "/v1/backups/init"},
		{method: "POST", path: "/v1/links/check", body: `{"secret":"x"}`},
		{method: "POST", path: "/v1/links/use", body: `{"secret":"x","password":"y"}`},
		{method: "GET", path: "/v1/tokens/x"},
		{method: "GET", path: "/v1/sessions/x"},
		{method: "DELETE", path: "/v1/tokens/x"},
		{method: "DELETE", path: "/v1/sessions/x"},
		{method: "DELETE", path: "/v1/session"},
		{method: "POST", path: "/v1/tokens", body: `{"name":"mine"}`},
		{method: "PUT", path: "/v1/session/totp", body: `{"password":"x","secret":"y","code":"z"}`},
		{method: "POST", path: "/v1/session/totp/remove", body: `{"password":"x"}`},
	}, wellFormed()...)
	samples := map[string]request{}
	for _, r := range all {
		route, _, err := c.router.FindRoute(httptest.NewRequestWithContext(t.Context(), r.method, r.path, nil))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := samples[route.Operation.OperationID]; !ok {
			samples[route.Operation.OperationID] = r
		}
	}
	return samples
}

// send sends a request as one of the fleet's users, with a session or, with tenants, with a token
// bound to them.
func (c *contract) send(t *testing.T, r request, proof http.Header) *httptest.ResponseRecorder {
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
	for k, v := range proof {
		req.Header[k] = v
	}
	if r.path == "/v1/events" {
		cancel()
	}
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, req)
	return w
}

func TestEveryOperationWithEveryRoleAndNone(t *testing.T) {
	ranks := []string{"admin", "operator", "viewer", "client"}
	users := map[string]string{"admin": "anna", "operator": "olga", "viewer": "vera", "client": "carl"}
	c := newContract(t, apifake.New())
	samples := c.samples(t)
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			t.Run(op.OperationID, func(t *testing.T) {
				r, ok := samples[op.OperationID]
				if !ok {
					t.Fatalf("%s %s has no sample request", method, path)
				}
				least, scope := extension(op, "x-role"), extension(op, "x-scope")
				if least != "public" && !slices.Contains(ranks, least) || scope == "" {
					t.Fatalf("x-role is %q and x-scope %q", least, scope)
				}
				w := c.fresh(t).send(t, r, nil)
				if least != "public" && (w.Code != 401 || !strings.Contains(w.Body.String(), `"code":"unauthenticated"`) || strings.Contains(w.Body.String(), "acme")) {
					t.Errorf("nobody is answered %d %s", w.Code, w.Body)
				}
				for rank, role := range ranks {
					c := c.fresh(t)
					w := c.send(t, r, c.as(t, users[role]))
					allowed := least == "public" || rank <= slices.Index(ranks, least)
					refused := w.Code == 401 || w.Code == 403 && !strings.Contains(w.Body.String(), "password")
					switch {
					case allowed && refused && least != "public":
						t.Errorf("%s is answered %d %s", role, w.Code, w.Body)
					case !allowed && (w.Code != 403 || strings.Contains(w.Body.String(), "acme")):
						t.Errorf("%s is answered %d %s", role, w.Code, w.Body)
					}
				}
			})
		}
	}
}

// fresh gives a contract of another fleet.
func (c *contract) fresh(t *testing.T) *contract {
	t.Helper()
	return &contract{router: c.router, doc: c.doc, handler: handlerOf(t, apifake.New()), proofs: map[string]http.Header{}}
}

// handlerOf gives a fleet's API as it is over HTTPS.
func handlerOf(t *testing.T, f *apifake.Fleet) http.Handler {
	t.Helper()
	s, err := api.New(f.Options(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	return s.Handler()
}

// bound gives the headers of a token of the user's that sees the tenants only.
func (c *contract) bound(t *testing.T, user string, tenants ...string) http.Header {
	t.Helper()
	body, err := json.Marshal(map[string]any{"name": "bound", "tenants": tenants})
	if err != nil {
		t.Fatal(err)
	}
	w := c.send(t, request{method: "POST", path: "/v1/tokens", body: string(body)}, c.as(t, user))
	made := decode[struct{ Secret string }](t, w)
	if w.Code != 201 || made.Secret == "" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return http.Header{"Authorization": {"Bearer " + made.Secret}}
}

// TestOtherTenantsAreAsIfTheyWereNot compares, of every operation, what is answered about another
// tenant with what is answered about one that there is not.
func TestOtherTenantsAreAsIfTheyWereNot(t *testing.T) {
	for _, who := range []string{"client's session", "client's token", "viewer's bound token", "operator's bound token", "admin's bound token"} {
		t.Run(who, func(t *testing.T) {
			c := newContract(t, apifake.New())
			var proof http.Header
			switch who {
			case "client's session":
				proof = c.as(t, "carl")
			case "client's token":
				proof = c.bound(t, "carl")
			case "viewer's bound token":
				proof = c.bound(t, "vera", "acme")
			case "operator's bound token":
				proof = c.bound(t, "olga", "acme")
			case "admin's bound token":
				proof = c.bound(t, "anna", "acme")
			}
			for id, r := range c.samples(t) {
				if id == "logout" || id == "deleteTenant" {
					continue
				}
				t.Run(id, func(t *testing.T) { c.compare(t, r, proof) })
			}
		})
	}
}

func (c *contract) compare(t *testing.T, r request, proof http.Header) {
	t.Helper()
	w := c.send(t, r, proof)
	if text := w.Body.String(); strings.Contains(text, "globex") && !strings.Contains(r.path+r.body, "globex") {
		t.Errorf("%s %s tells of globex: %s", r.method, r.path, text)
	}
	if !strings.Contains(r.path+r.body, "acme") && !strings.Contains(r.path, "globex") {
		return
	}
	about := func(name string) string {
		other := r
		swap := strings.NewReplacer("acme", name, "globex", name)
		other.path, other.body = swap.Replace(r.path), swap.Replace(r.body)
		w := c.send(t, other, proof)
		return fmt.Sprint(w.Code, strings.ReplaceAll(w.Body.String(), name, "X"))
	}
	if there, not := about("globex"), about("nobody-has-it"); there != not {
		t.Errorf("%s %s: of another tenant %s\nof none %s", r.method, r.path, there, not)
	}
}

func TestListsShowOwnTenantsOnly(t *testing.T) {
	f := apifake.New()
	c := newContract(t, f)
	operator := c.as(t, "olga")
	for _, r := range []request{
		{method: "POST", path: "/v1/tenants/globex/undelete"}, {method: "POST", path: "/v1/tenants/acme/restart"},
	} {
		if w := c.send(t, r, operator); w.Code != 202 {
			t.Fatal(w.Code, w.Body)
		}
	}
	for who, proof := range map[string]http.Header{"client": c.as(t, "carl"), "bound operator": c.bound(t, "olga", "acme")} {
		for path, own := range map[string]string{
			"/v1/tenants": `"acme"`, "/v1/jobs": "tenant/acme", "/v1/tenants?search=glo": `"items":[]`, "/v1/jobs?subject=tenant/globex": `"items":[]`,
			"/v1/traffic": `"hosts":0`,
		} {
			w := c.send(t, request{method: "GET", path: path}, proof)
			if text := w.Body.String(); w.Code != 200 || strings.Contains(text, "globex") || !strings.Contains(text, own) {
				t.Errorf("%s %s: %d %s", who, path, w.Code, text)
			}
		}
	}
	for path, own := range map[string]string{
		"/v1/domains": "acme.localhost", "/v1/backups": `"acme"`, "/v1/drills": `"acme"`, "/v1/backups?tenant=globex": `"items":[]`,
	} {
		w := c.send(t, request{method: "GET", path: path}, c.bound(t, "vera", "acme"))
		if text := w.Body.String(); w.Code != 200 || strings.Contains(text, "globex") || !strings.Contains(text, own) {
			t.Errorf("%s: %d %s", path, w.Code, text)
		}
	}
	jobs := decode[struct{ Items []struct{ ID string } }](t, c.send(t, request{method: "GET", path: "/v1/jobs?subject=tenant/globex"}, operator))
	for _, path := range []string{"/v1/jobs/" + jobs.Items[0].ID, "/v1/jobs/" + jobs.Items[0].ID + "/events"} {
		if w := c.send(t, request{method: "GET", path: path}, c.as(t, "carl")); w.Code != 404 || strings.Contains(w.Body.String(), "globex") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestEventsOfOwnTenantsOnly(t *testing.T) {
	f := apifake.New()
	o := f.Options(t.TempDir())
	s, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	opened, err := f.Accounts.Login(t.Context(), accounts.Login{Name: "carl", Password: apifake.Password})
	if err != nil {
		t.Fatal(err)
	}
	o.Feed.Publish(fleet.Event{Type: "first", Subject: "tenant/acme"})
	o.Feed.Publish(fleet.Event{Type: "tenant.changed", Subject: "tenant/globex"})
	o.Feed.Publish(fleet.Event{Type: "job.event", Subject: "job/1", Tenant: "globex", Data: fleet.JobEvent{Message: "globex"}})
	o.Feed.Publish(fleet.Event{Type: "image.changed", Subject: "image/globex"})
	o.Feed.Publish(fleet.Event{Type: "job.event", Subject: "job/2", Tenant: "acme", Data: fleet.JobEvent{Message: "cloned", State: []byte(`"secret"`)}})
	o.Feed.Publish(fleet.Event{Type: "last", Subject: "tenant/acme"})
	r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	sub := o.Feed.Subscribe("", 1)
	o.Feed.Publish(fleet.Event{Type: "now", Subject: "tenant/globex"})
	epoch, _, _ := strings.Cut((<-sub.Events()).ID, "-")
	sub.Close()
	r.Header.Set("Last-Event-ID", epoch+"-1")
	r.AddCookie(&http.Cookie{Name: "__Host-lxdfleet", Value: opened.Secret})
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got strings.Builder
	for lines := bufio.NewScanner(answer.Body); lines.Scan() && !strings.Contains(lines.Text(), "event: last"); {
		got.WriteString(lines.Text() + "\n")
	}
	if text := got.String(); strings.Contains(text, "globex") || strings.Contains(text, "secret") || !strings.Contains(text, "cloned") {
		t.Error(text)
	}
}
