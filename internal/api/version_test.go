package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
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
