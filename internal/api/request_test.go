package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

func TestBadRequests(t *testing.T) {
	blob := map[string]string{"Content-Type": blobType}
	tests := []request{
		{name: "unknown field", method: "POST", path: "/v1/tenants", body: `{"name":"a","imgae":"b"}`, status: 400, field: "imgae", code: "invalid"},
		{name: "unknown nested field", method: "POST", path: "/v1/tenants", body: `{"health":{"prot":1}}`, status: 400, field: "prot", code: "invalid"},
		{name: "wrong type", method: "POST", path: "/v1/tenants", body: `{"domains":"a"}`, status: 400, field: "domains", code: "invalid"},
		{name: "wrong type inside", method: "POST", path: "/v1/tenants", body: `{"health":{"port":"80"}}`, status: 400, field: "health.port", code: "invalid"},
		{name: "not JSON", method: "POST", path: "/v1/tenants", body: `{`, status: 400, field: "body", code: "invalid"},
		{name: "two documents", method: "POST", path: "/v1/tenants", body: `{}{}`, status: 400, field: "body", code: "invalid"},
		{name: "a list", method: "POST", path: "/v1/tenants", body: `[]`, status: 400, code: "invalid"},
		{name: "empty body", method: "POST", path: "/v1/tenants", header: map[string]string{"Content-Type": "application/json"}, status: 400, field: "body"},
		{name: "no content type", method: "POST", path: "/v1/tenants", status: 400, field: "Content-Type", code: "invalid"},
		{name: "bad name", method: "POST", path: "/v1/tenants", body: `{"name":"A!","image":"x"}`, status: 400, field: "name", code: "invalid"},
		{name: "bad health timeout", method: "POST", path: "/v1/tenants", body: `{"name":"a","image":"x","health":{"timeout":"soon"}}`, status: 400, field: "health.timeout"},
		{name: "body too large", method: "POST", path: "/v1/tenants", body: `{"name":"` + strings.Repeat("a", 1<<20) + `"}`, status: 413, field: "body", code: "invalid"},
		{name: "deep nesting", method: "POST", path: "/v1/tenants", body: strings.Repeat(`[`, 20000), status: 400, code: "invalid"},
		{name: "bundle too large", method: "POST", path: "/v1/images/build", body: strings.Repeat("a", 16<<20+1), header: map[string]string{"Content-Type": tarType}, status: 413, field: "body"},
		{name: "bundle of the wrong type", method: "POST", path: "/v1/images/build", body: `{}`, status: 400, field: "Content-Type"},
		{name: "image too large", method: "POST", path: "/v1/images/import?name=a&version=1", body: strings.Repeat("a", 8<<20+1), header: blob, status: 413, field: "body"},
		{name: "image without a name", method: "POST", path: "/v1/images/import?version=1", body: "a", header: blob, status: 400, field: "name"},
		{name: "image with a path for a name", method: "POST", path: "/v1/images/import?name=..%2Fx&version=1", body: "a", header: blob, status: 400, field: "image"},
		{name: "limit out of range", method: "GET", path: "/v1/tenants?limit=1001", status: 400, field: "limit", code: "invalid"},
		{name: "limit no number", method: "GET", path: "/v1/tenants?limit=x", status: 400, field: "limit", code: "invalid"},
		{name: "bad cursor", method: "GET", path: "/v1/jobs?cursor=%2A", status: 400, field: "cursor", code: "invalid"},
		{name: "bad label", method: "GET", path: "/v1/tenants?label=x", status: 400, field: "label", code: "invalid"},
		{name: "bad wanted state", method: "GET", path: "/v1/tenants?desired=gone", status: 400, field: "desired", code: "invalid"},
		{name: "bad job state", method: "GET", path: "/v1/jobs?state=gone", status: 400, field: "state", code: "invalid"},
		{name: "bad image in a filter", method: "GET", path: "/v1/tenants?image=A", status: 400, field: "image", code: "invalid"},
		{name: "bad timeout", method: "POST", path: "/v1/tenants/acme/stop?timeout=5", status: 400, field: "timeout", code: "invalid"},
		{name: "too many lines", method: "GET", path: "/v1/tenants/acme/logs?lines=100001", status: 400, field: "lines", code: "invalid"},
		{name: "long key", method: "POST", path: "/v1/recover", header: map[string]string{"Idempotency-Key": strings.Repeat("k", 201)}, status: 400, field: "Idempotency-Key"},
		{name: "bad event number", method: "GET", path: "/v1/jobs/x/events", header: map[string]string{"Last-Event-ID": "x"}, status: 400, field: "Last-Event-ID"},
		{name: "bad domain", method: "POST", path: "/v1/tenants/acme/domains", body: `{"domain":"https://x"}`, status: 400, field: "domain", code: "invalid"},
		{name: "another's domain", method: "POST", path: "/v1/tenants/acme/domains", body: `{"domain":"globex.localhost"}`, status: 409, field: "domain", code: "taken"},
		{name: "domain of no tenant", method: "POST", path: "/v1/tenants/nobody/domains", body: `{"domain":"x.localhost"}`, status: 404, code: "not_found"},
		{name: "domains of no tenant", method: "GET", path: "/v1/tenants/nobody/domains", status: 404, code: "not_found"},
		{name: "no such domain", method: "GET", path: "/v1/domains/nobody.localhost", status: 404, field: "domain", code: "not_found"},
		{name: "check of no domain", method: "POST", path: "/v1/domains/nobody.localhost/check", status: 404, code: "not_found"},
		{name: "removal of no domain", method: "DELETE", path: "/v1/domains/nobody.localhost", status: 404, code: "not_found"},
		{name: "change of no domain", method: "PATCH", path: "/v1/domains/nobody.localhost", body: `{}`, status: 404, code: "not_found"},
		{name: "bad state of domains", method: "GET", path: "/v1/domains?state=gone", status: 400, field: "state", code: "invalid"},
		{name: "bad cursor of domains", method: "GET", path: "/v1/domains?cursor=%2A", status: 400, field: "cursor", code: "invalid"},
		{name: "bad network", method: "PATCH", path: "/v1/tenants/acme/guard", body: `{"deny":["10.0.0.1/8"]}`, status: 400, field: "deny", code: "invalid"},
		{name: "bad size", method: "PATCH", path: "/v1/tenants/acme/guard", body: `{"max_body":"much"}`, status: 400, field: "max_body", code: "invalid"},
		{name: "bad HSTS", method: "PATCH", path: "/v1/tenants/acme/guard", body: `{"hsts":"1y,preload"}`, status: 400, field: "hsts", code: "invalid"},
		{name: "burst without a rate", method: "PATCH", path: "/v1/tenants/acme/guard", body: `{"burst":5}`, status: 400, field: "burst", code: "invalid"},
		{name: "bad time of maintenance", method: "PUT", path: "/v1/tenants/acme/maintenance", body: `{"for":"soon"}`, status: 400, field: "for", code: "invalid"},
		{name: "bad time of a hold", method: "POST", path: "/v1/tenants/acme/hold", body: `{"for":"-1s"}`, status: 400, field: "for", code: "invalid"},
		{name: "edit of no tenant", method: "PATCH", path: "/v1/tenants/nobody", body: `{}`, status: 404, code: "not_found"},
		{name: "unknown field of an edit", method: "PATCH", path: "/v1/tenants/acme", body: `{"plan":"large"}`, status: 400, field: "plan", code: "invalid"},
		{name: "bad limit of a quiesce", method: "PATCH", path: "/v1/tenants/acme", body: `{"quiesce":{"by":"hook","limit":"soon"}}`, status: 400, field: "quiesce.limit", code: "invalid"},
		{name: "no such tenant", method: "GET", path: "/v1/tenants/nobody", status: 404, field: "name", code: "not_found"},
		{name: "logs of no tenant", method: "GET", path: "/v1/tenants/nobody/logs", status: 404, code: "not_found"},
		{name: "exec in no tenant", method: "GET", path: "/v1/tenants/nobody/exec", status: 404, code: "not_found"},
		{name: "exec without WebSocket", method: "GET", path: "/v1/tenants/acme/exec", status: 400, field: "Upgrade", code: "invalid"},
		{name: "snapshots of no tenant", method: "GET", path: "/v1/tenants/nobody/snapshots", status: 404, field: "name", code: "not_found"},
		{name: "snapshots of a bad name", method: "GET", path: "/v1/tenants/A!/snapshots", status: 400, field: "name", code: "invalid"},
		{name: "no such snapshot", method: "GET", path: "/v1/tenants/acme/snapshots/none", status: 404, field: "snapshot", code: "not_found"},
		{name: "restore of no snapshot", method: "POST", path: "/v1/tenants/acme/snapshots/none/restore", status: 404, field: "snapshot", code: "not_found"},
		{name: "snapshot that is there", method: "POST", path: "/v1/tenants/acme/snapshots", body: `{"name":"snap0"}`, status: 409, field: "name", code: "taken"},
		{name: "snapshot without a body", method: "POST", path: "/v1/tenants/acme/snapshots", status: 400, field: "Content-Type", code: "invalid"},
		{name: "pinned snapshot", method: "DELETE", path: "/v1/tenants/acme/snapshots/snap0", status: 409, field: "snapshot", code: "conflict"},
		{name: "clone to a bad name", method: "POST", path: "/v1/tenants/acme/snapshots/snap0/clone", body: `{"name":"A!"}`, status: 400, field: "name", code: "invalid"},
		{name: "diff to no snapshot", method: "GET", path: "/v1/tenants/acme/snapshots/snap0/diff?to=none", status: 404, field: "snapshot", code: "not_found"},
		{name: "file without a path", method: "GET", path: "/v1/tenants/acme/snapshots/snap0/content", status: 400, field: "path", code: "invalid"},
		{name: "file of a path from nowhere", method: "GET", path: "/v1/tenants/acme/snapshots/snap0/content?path=etc%2Fpasswd", status: 400, field: "path", code: "invalid"},
		{name: "folder for a file", method: "GET", path: "/v1/tenants/acme/snapshots/snap0/content?path=%2Fuploads", status: 400, field: "path", code: "invalid"},
		{name: "no such policy", method: "GET", path: "/v1/policies/none", status: 404, field: "policy", code: "not_found"},
		{name: "edit of no policy", method: "PATCH", path: "/v1/policies/none", body: `{}`, status: 404, code: "not_found"},
		{name: "policy that is there", method: "POST", path: "/v1/policies", body: `{"name":"nightly"}`, status: 409, field: "name", code: "taken"},
		{name: "policy that is used", method: "DELETE", path: "/v1/policies/nightly", status: 409, field: "policy", code: "conflict"},
		{name: "bad cron", method: "POST", path: "/v1/policies", body: `{"name":"x","snapshots":{"cron":"* * * *"}}`, status: 400, field: "snapshots.cron", code: "invalid"},
		{name: "bad time zone", method: "POST", path: "/v1/policies", body: `{"name":"x","time_zone":"Mars/Olympus"}`, status: 400, field: "time_zone", code: "invalid"},
		{name: "bad age", method: "POST", path: "/v1/policies", body: `{"name":"x","backups":{"cron":"@daily","keep":{"min_age":"long"}}}`, status: 400, field: "backups.keep.min_age", code: "invalid"},
		{name: "negative age", method: "PATCH", path: "/v1/policies/nightly", body: `{"drills":{"keep":{"min_age":"-3d"}}}`, status: 400, field: "drills.keep.min_age", code: "invalid"},
		{name: "keep of no schedule", method: "PATCH", path: "/v1/policies/snapshots-only", body: `{"drills":{"keep":{"last":3}}}`, status: 400, field: "drills.cron", code: "invalid"},
		{name: "unknown rule", method: "POST", path: "/v1/policies", body: `{"name":"x","backups":{"cron":"@daily","keep":{"dayly":3}}}`, status: 400, field: "dayly", code: "invalid"},
		{name: "schedule of no tenant", method: "GET", path: "/v1/tenants/nobody/schedule", status: 404, field: "name", code: "not_found"},
		{name: "no such backup", method: "GET", path: "/v1/backups/none", status: 404, field: "backup", code: "not_found"},
		{name: "backup of no tenant", method: "POST", path: "/v1/backups", body: `{"tenant":"nobody"}`, status: 404, code: "not_found"},
		{name: "backup of nothing", method: "POST", path: "/v1/backups", body: `{}`, status: 400, field: "tenant", code: "invalid"},
		{name: "backup of a bad name", method: "POST", path: "/v1/backups", body: `{"tenant":"A!"}`, status: 400, field: "tenant", code: "invalid"},
		{name: "pinned backup", method: "DELETE", path: "/v1/backups/90e1", status: 409, field: "backup", code: "conflict"},
		{name: "damaged backup", method: "POST", path: "/v1/backups/90e1/restore", body: `{}`, status: 409, field: "backup", code: "conflict"},
		{name: "plan of no new tenant", method: "POST", path: "/v1/backups/c1ab/restore", body: `{"plan":"large"}`, status: 400, field: "into", code: "invalid"},
		{name: "bad cursor of backups", method: "GET", path: "/v1/backups?cursor=MQ", status: 400, field: "cursor", code: "invalid"},
		{name: "bad tenant of backups", method: "GET", path: "/v1/backups?tenant=A!", status: 400, field: "tenant", code: "invalid"},
		{name: "verify no backup", method: "POST", path: "/v1/backups/verify", body: `{"backup":"none"}`, status: 404, field: "backup", code: "not_found"},
		{name: "verify a bad name", method: "POST", path: "/v1/backups/verify", body: `{"tenant":"A!"}`, status: 400, field: "tenant", code: "invalid"},
		{name: "second repository", method: "POST", path: "/v1/backups/init", status: 409, code: "taken"},
		{name: "wrong key", method: "POST", path: "/v1/backups/confirm-key", body: `{"key":"x"}`, status: 400, field: "key", code: "invalid"},
		{name: "recover from elsewhere", method: "POST", path: "/v1/backups/recover", body: `{"from":"s3://other"}`, status: 403, field: "key", code: "forbidden"},
		{name: "recover a bad name", method: "POST", path: "/v1/backups/recover", body: `{"tenants":["A!"]}`, status: 400, field: "tenants", code: "invalid"},
		{name: "diff to no backup", method: "GET", path: "/v1/backups/c1ab/diff?to=none", status: 404, field: "to", code: "not_found"},
		{name: "diff of a backup to no snapshot", method: "GET", path: "/v1/backups/c1ab/diff?snapshot=none", status: 404, field: "snapshot", code: "not_found"},
		{name: "folder of a backup for a file", method: "GET", path: "/v1/backups/c1ab/content?path=%2Fuploads", status: 400, field: "path", code: "invalid"},
		{name: "no such drill", method: "GET", path: "/v1/drills/none", status: 404, field: "id", code: "not_found"},
		{name: "drill of a bad name", method: "POST", path: "/v1/drills", body: `{"tenant":"A!"}`, status: 400, field: "tenant", code: "invalid"},
		{name: "drill of no backup", method: "POST", path: "/v1/drills", body: `{"backup":"none"}`, status: 404, field: "backup", code: "not_found"},
		{name: "bad tenant of drills", method: "GET", path: "/v1/drills?tenant=A!", status: 400, field: "tenant", code: "invalid"},
		{name: "no such image", method: "GET", path: "/v1/images/none", status: 404, code: "not_found"},
		{name: "no such job", method: "GET", path: "/v1/jobs/none/events", status: 404, code: "not_found"},
		{name: "cancel a finished job", method: "POST", path: "/v1/jobs/" + job1 + "/cancel", status: 409, code: "conflict"},
	}
	f := apifake.New()
	c := newContract(t, f)
	if _, err := f.Jobs.Submit("tenant.start", "tenant/acme", nil, tenants.Once{}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p api.Problem
			if err := json.Unmarshal(c.check(t, tt).Body.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			if p.Hint == "" || p.Detail == "" || p.Status != tt.status {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestUnknownAddress(t *testing.T) {
	h := handler(t, apifake.New())
	for path, want := range map[string]int{"GET /v2/x": 404, "GET /v1/recover": 405, "PUT /v1/tenants": 405} {
		method, path, _ := strings.Cut(path, " ")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != want || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
}

func TestEveryCodeHasItsStatus(t *testing.T) {
	for code, want := range map[fleet.Code]int{
		fleet.Invalid: 400, fleet.Forbidden: 403, fleet.NotFound: 404, fleet.Taken: 409, fleet.Busy: 409, fleet.Conflict: 409,
		fleet.Fenced: 409, fleet.Cancelled: 409, fleet.Internal: 500, fleet.Unsupported: 501, fleet.Failed: 502,
		fleet.Unhealthy: 502, fleet.Unavailable: 503, fleet.Exhausted: 507,
	} {
		t.Run(string(code), func(t *testing.T) {
			f := apifake.New()
			f.Fail("Get", fmt.Errorf("read acme: %w", fleet.Errorf(code, "it is so").WithHint("do this")))
			newContract(t, f).check(t, request{method: "GET", path: "/v1/tenants/acme", status: want, code: string(code)})
		})
	}
}

func TestUnexpectedErrorsAndPanicsAreProblems(t *testing.T) {
	f := apifake.New()
	f.Fail("Get", errors.New("boom"))
	newContract(t, f).check(t, request{method: "GET", path: "/v1/tenants/acme", status: 500, code: "internal"})

	o := f.Options(t.TempDir())
	o.Placement = nil // calling it panics
	s, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	trusted(s.Handler()).ServeHTTP(w, httptest.NewRequest("GET", "/v1/members", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"code":"internal"`) {
		t.Error(w.Code, w.Body)
	}
}

func TestBusyNamesTheJob(t *testing.T) {
	f := apifake.New()
	f.Jobs.Hold()
	c := newContract(t, f)
	c.check(t, request{method: "POST", path: "/v1/tenants/acme/start", status: 202})
	w := c.check(t, request{method: "POST", path: "/v1/tenants/acme/stop", status: 409, code: "busy"})
	if !strings.Contains(w.Body.String(), `"job":"`+job1+`"`) {
		t.Error(w.Body)
	}
}

func TestIdempotencyKey(t *testing.T) {
	c := newContract(t, apifake.New())
	key := map[string]string{"Idempotency-Key": "k1"}
	post := func(body string, status int) string {
		w := c.check(t, request{method: "POST", path: "/v1/tenants", body: body, header: key, status: status})
		return w.Header().Get("Location")
	}
	first := post(`{"name":"initech","image":"wordpress"}`, 202)
	if again := post(`{"name":"initech","image":"wordpress"}`, 202); again != first {
		t.Errorf("repeat made %s, first %s", again, first)
	}
	post(`{"name":"initech","image":"static"}`, 409)
	for path, body := range map[string]string{
		"/v1/tenants/acme/snapshots": `{"name":"twice"}`, "/v1/tenants/acme/snapshots/snap0/clone": `{"name":"twice"}`,
		"/v1/backups": `{"tenant":"acme"}`, "/v1/backups/c1ab/restore": `{"into":"twice"}`, "/v1/backups/verify": `{}`, "/v1/drills": `{}`,
	} {
		keyed := map[string]string{"Idempotency-Key": path}
		first := c.check(t, request{method: "POST", path: path, body: body, header: keyed, status: 202}).Header().Get("Location")
		again := c.check(t, request{method: "POST", path: path, body: body, header: keyed, status: 202}).Header().Get("Location")
		if again != first {
			t.Errorf("%s: repeat made %s, first %s", path, again, first)
		}
		c.check(t, request{method: "POST", path: path, body: strings.Replace(body, "twice", "other", 1) + " ", header: keyed, status: 409, field: "Idempotency-Key"})
	}
	c.check(t, request{method: "POST", path: "/v1/tenants/acme/start", header: key, status: 409, field: "Idempotency-Key"})

	key = map[string]string{"Idempotency-Key": "k2", "Content-Type": tarType}
	c.check(t, request{method: "POST", path: "/v1/images/build", body: "tar one", header: key, status: 202})
	c.check(t, request{method: "POST", path: "/v1/images/build", body: "tar one", header: key, status: 202})
	c.check(t, request{method: "POST", path: "/v1/images/build", body: "tar two", header: key, status: 409})
}

func TestUploadsAreKeptOnlyByTheirJob(t *testing.T) {
	f := apifake.New()
	dir := t.TempDir()
	o := f.Options(dir)
	if err := os.WriteFile(dir+"/old.part", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	send := func(body string, status int) {
		t.Helper()
		r := httptest.NewRequest("POST", "/v1/images/import?name=static&version=1", strings.NewReader(body))
		r.Header.Set("Content-Type", blobType)
		r.Header.Set("Idempotency-Key", "k")
		w := httptest.NewRecorder()
		trusted(s.Handler()).ServeHTTP(w, r)
		if w.Code != status {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	files := func(want ...string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			data, err := os.ReadFile(dir + "/" + e.Name())
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(data))
		}
		if strings.Join(got, ",") != strings.Join(want, ",") {
			t.Errorf("files hold %q, want %q", got, want)
		}
	}
	files() // the unfinished one is gone
	send("tarball", 202)
	send("tarball", 202) // the same job, so its upload goes
	files("tarball")
	send("another", 409)
	send(strings.Repeat("x", 8<<20+1), 413)
	files("tarball")
}

func TestPaging(t *testing.T) {
	f := apifake.New()
	for i := range 5 {
		if _, err := f.Tenants.Create(t.Context(), tenants.CreateRequest{Name: fmt.Sprintf("t%d", i), Image: "wordpress"}, tenants.Once{}); err != nil {
			t.Fatal(err)
		}
	}
	h := handler(t, f)
	var names []string
	pages := 0
	for cursor := ""; ; pages++ {
		var page api.TenantList
		get(t, h, "/v1/tenants?limit=3&cursor="+cursor, &page)
		for _, item := range page.Items {
			names = append(names, item.Name)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "acme globex t0 t1 t2 t3 t4" || pages != 2 {
		t.Error(got, pages)
	}
	var list api.JobList
	get(t, h, "/v1/jobs?limit=2", &list)
	get(t, h, "/v1/jobs?limit=2&cursor="+list.NextCursor, &list)
	if len(list.Items) != 2 || list.Items[0].Id != "00000000000000000000000003" {
		t.Errorf("%+v", list)
	}
}

func TestPagesOfBackupsAndDrills(t *testing.T) {
	h := handler(t, apifake.New())
	var backups [2]api.BackupList
	get(t, h, "/v1/backups?limit=1", &backups[0])
	get(t, h, "/v1/backups?limit=1&cursor="+backups[0].NextCursor, &backups[1])
	if backups[0].Items[0].Id != "c1ab4aa5e7c5d0f39e1b" || backups[1].Items[0].Id != "90e1d7f2b3a45566cc01" || backups[1].NextCursor != "" {
		t.Errorf("%+v", backups)
	}
	var drills [4]api.DrillList
	get(t, h, "/v1/drills?limit=1", &drills[0])
	get(t, h, "/v1/drills?limit=1&cursor="+drills[0].NextCursor, &drills[1])
	if !strings.HasSuffix(drills[0].Items[0].Id, "drill2") || !strings.HasSuffix(drills[1].Items[0].Id, "drill1") || drills[1].NextCursor != "" {
		t.Errorf("%+v", drills)
	}
	get(t, h, "/v1/drills?backup=c1ab", &drills[2])
	if len(drills[2].Items) != 1 || drills[2].Items[0].Backup != "c1ab4aa5e7c5d0f39e1b" {
		t.Errorf("%+v", drills[2])
	}
	if get(t, h, "/v1/drills?backup=gone", &drills[3]); len(drills[3].Items) != 0 {
		t.Errorf("%+v", drills[3])
	}
}

func FuzzCreate(f *testing.F) {
	f.Add([]byte(`{"name":"acme","image":"wordpress"}`))
	f.Add([]byte(`{"health":{"timeout":"-1s"}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "/v1/tenants", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler(t, apifake.New()).ServeHTTP(w, r)
		var p api.Problem
		if w.Code != 202 && (w.Code != 400 && w.Code != 413 || json.Unmarshal(w.Body.Bytes(), &p) != nil || p.Hint == "") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func handler(t *testing.T, f *apifake.Fleet) http.Handler {
	t.Helper()
	s, err := api.New(f.Options(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	return trusted(s.Handler())
}

func get(t *testing.T, h http.Handler, path string, into any) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	if w.Code != 200 {
		t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		t.Fatal(err)
	}
}
