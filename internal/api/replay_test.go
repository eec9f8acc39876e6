package api_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// keyed is a request with an idempotency key.
func keyed(path, body string) request {
	return request{method: "POST", path: path, body: body, header: map[string]string{"Idempotency-Key": "k"}}
}

func TestRepeatedRequests(t *testing.T) {
	for name, tt := range map[string]struct {
		first, second request
		before        func(*apifake.Fleet) // the second
		status        int
		same          bool
		says          string
	}{
		"a policy again":        {first: keyed("/v1/policies", `{"name":"hourly"}`), status: 201, same: true},
		"a user again":          {first: keyed("/v1/users", `{"name":"dora","role":"viewer"}`), status: 201, same: true, says: "welcome#"},
		"a webhook again":       {first: keyed("/v1/webhooks", `{"name":"chat","url":"https://chat.example.org/x"}`), status: 201, same: true, says: "whsec_"},
		"without an answer":     {first: keyed("/v1/backups/confirm-key", `{"key":"`+apifake.RecoveryKey+`"}`), status: 204, same: true},
		"another body":          {first: keyed("/v1/policies", `{"name":"hourly"}`), second: keyed("/v1/policies", `{"name":"daily"}`), status: 409, says: `"field":"Idempotency-Key"`},
		"another operation":     {first: keyed("/v1/policies", `{"name":"hourly"}`), second: keyed("/v1/users", `{"name":"dora","role":"viewer"}`), status: 409, says: `"field":"Idempotency-Key"`},
		"what was refused":      {first: keyed("/v1/policies", `{"name":"Hourly!"}`), status: 400, says: `"field":"name"`},
		"refused, then another": {first: keyed("/v1/policies", `{"name":"Hourly!"}`), second: keyed("/v1/policies", `{"name":"hourly"}`), status: 201},
		"how it ended is not known": {first: keyed("/v1/policies", `{"name":"hourly"}`), before: func(f *apifake.Fleet) {
			a := f.Answers.Kept()[0]
			a.Status = 0
			_ = f.Answers.SaveAnswer(t.Context(), a)
		}, status: 409, says: "not known"},
		"a job again": {first: keyed("/v1/tenants/acme/restart", ""), status: 202, says: job1},
	} {
		t.Run(name, func(t *testing.T) {
			f := apifake.New()
			s, err := api.New(f.Options(t.TempDir()))
			if err != nil {
				t.Fatal(err)
			}
			first := asked(t.Context(), s, tt.first)
			if tt.before != nil {
				tt.before(f)
			}
			if tt.second.path == "" {
				tt.second = tt.first
			}
			again := asked(t.Context(), s, tt.second)
			if again.Code != tt.status || !strings.Contains(again.Body.String(), tt.says) {
				t.Errorf("%d %s\nafter %d %s", again.Code, again.Body, first.Code, first.Body)
			}
			if !tt.same {
				return
			}
			if again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" || again.Header().Get("ETag") != first.Header().Get("ETag") {
				t.Errorf("%v %s\nfirst %v %s", again.Header(), again.Body, first.Header(), first.Body)
			}
		})
	}
}

// A secret in an answer is kept where only the one who asked can read it.
func TestRepeatedRequestsWithSecrets(t *testing.T) {
	f := apifake.New()
	c := newContract(t, f)
	one, other := c.bound(t, "anna"), c.as(t, "anna")
	make := keyed("/v1/tokens", `{"name":"ci-runner"}`)
	first := c.send(t, make, one)
	token := decode[struct{ Secret string }](t, first).Secret
	if first.Code != 201 || token == "" {
		t.Fatal(first.Code, first.Body)
	}
	kept := f.Answers.Kept()
	if len(kept) != 1 || kept[0].Status != 201 || strings.Contains(kept[0].Body, "ci-runner") || strings.Contains(kept[0].Body, token) {
		t.Errorf("kept is %+v", kept)
	}
	if again := c.send(t, make, one); again.Body.String() != first.Body.String() {
		t.Errorf("%d %s", again.Code, again.Body)
	}
	if again := c.send(t, make, other); again.Code != 409 || strings.Contains(again.Body.String(), token) {
		t.Errorf("%d %s", again.Code, again.Body)
	}
	if again := c.send(t, make, c.as(t, "olga")); again.Code != 201 || strings.Contains(again.Body.String(), token) {
		t.Errorf("another user's key is another: %d %s", again.Code, again.Body)
	}
}

func TestEveryChangeDeclaresItsHeaders(t *testing.T) {
	c := newContract(t, apifake.New())
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			has := func(name string) bool { return op.Parameters.GetByInAndName("header", name) != nil }
			answer := op.Responses.Value("202")
			if answer != nil && answer.Ref == "#/components/responses/Job" && !has("Prefer") {
				t.Errorf("%s answers with a job, and does not declare Prefer", op.OperationID)
			}
			if method == http.MethodPost && extension(op, "x-role") != "public" && !strings.HasPrefix(path, "/v1/session") && !has("Idempotency-Key") {
				t.Errorf("%s does not declare Idempotency-Key", op.OperationID)
			}
			if method != http.MethodGet && method != http.MethodPost && !has("If-Match") {
				t.Errorf("%s does not declare If-Match", op.OperationID)
			}
		}
	}
}

func TestRateLimit(t *testing.T) {
	f := apifake.New()
	o := f.Options(t.TempDir())
	o.RateLimit = 6
	now := apifake.Now
	o.Now = func() time.Time { return now }
	s, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(header, value, address string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/session", nil)
		r.RemoteAddr = address
		if header != "" {
			r.Header.Set(header, value)
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w
	}
	_, token, err := f.Accounts.CreateToken(t.Context(), fleet.Caller{Kind: fleet.CallerSession, User: "vera", Name: "vera", Role: fleet.RoleViewer}, accounts.TokenRequest{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	bearer := "Bearer " + token
	for left := 5; left >= 0; left-- {
		w := ask("Authorization", bearer, "192.0.2.1:1")
		if w.Code != 200 || w.Header().Get("RateLimit-Remaining") != strconv.Itoa(left) || w.Header().Get("RateLimit-Limit") != "6" {
			t.Errorf("%d left: %d %v", left, w.Code, w.Header())
		}
	}
	w := ask("Authorization", bearer, "192.0.2.2:1")
	if w.Code != 429 || w.Header().Get("Retry-After") != "10" || w.Header().Get("RateLimit-Reset") != "60" || !strings.Contains(w.Body.String(), `"hint"`) {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := ask("", "", "192.0.2.1:1"); w.Code != 401 || w.Header().Get("RateLimit-Remaining") != "5" {
		t.Errorf("an address of its own: %d %v", w.Code, w.Header())
	}
	for range 10 { // guesses count for the address
		w = ask("Authorization", "Bearer nonsense", "[2001:db8::1]:1")
	}
	if w.Code != 429 {
		t.Errorf("guesses: %d", w.Code)
	}
	for range 20 {
		if w := asked(t.Context(), s, request{method: "GET", path: "/v1/session"}); w.Code != 200 || w.Header().Get("RateLimit-Limit") != "" {
			t.Fatalf("local: %d %v", w.Code, w.Header())
		}
	}
	now = now.Add(10 * time.Second)
	if w := ask("Authorization", bearer, "192.0.2.1:1"); w.Code != 200 || w.Header().Get("RateLimit-Remaining") != "0" {
		t.Errorf("after a while: %d %v", w.Code, w.Header())
	}
}
