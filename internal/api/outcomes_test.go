package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// Where a move goes is told with the job, wherever that is shown.
func TestFacts(t *testing.T) {
	f := apifake.New()
	c := newContract(t, f)
	c.check(t, request{method: "POST", path: "/v1/tenants/acme/move", body: `{"to":"west:n2"}`, status: 202})
	for _, path := range []string{"/v1/jobs", "/v1/jobs/00000000000000000000000001", "/v1/jobs/00000000000000000000000001/events"} {
		text := c.check(t, request{method: "GET", path: path, status: 200}).Body.String()
		if !strings.Contains(text, `"facts":{"from":"n1","to":"west:n2","waited":"1.24s"}`) {
			t.Errorf("%s does not tell the facts: %s", path, text)
		}
	}
}

// What came of each tenant is told with the job, and where it was waited for; not in a list.
func TestOutcomes(t *testing.T) {
	f := apifake.New()
	c := newContract(t, f)
	job := f.Jobs.SubmitBulk()
	move, err := f.Jobs.Submit("tenant.move", "tenant/acme", map[string]string{"from": "n1", "to": "n2"}, tenants.Once{Key: job.ID + "/acme"})
	if err != nil {
		t.Fatal(err)
	}
	var detail struct{ Job api.Job }
	if err := json.Unmarshal(c.check(t, request{method: "GET", path: "/v1/jobs/" + job.ID, status: 200}).Body.Bytes(), &detail); err != nil {
		t.Fatal(err)
	}
	want := []api.JobOutcome{
		{Tenant: "acme", State: "done", Job: move.ID, Facts: map[string]string{"from": "n1", "to": "n2", "waited": "1.24s"}},
		{Tenant: "globex", State: "planned", Job: "000000000000000000globex", At: apifake.Now.Add(10 * time.Hour)},
		{Tenant: "hooli", State: "failed", Why: "tenant hooli has no window"},
		{Tenant: "initech", State: "gone"},
	}
	if diff := cmp.Diff(want, detail.Job.Outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	for path, told := range map[string]bool{"/v1/jobs/" + job.ID + "/events": true, "/v1/jobs": false} {
		if text := c.check(t, request{method: "GET", path: path, status: 200}).Body.String(); strings.Contains(text, `"outcomes":[`) != told {
			t.Errorf("%s tells the outcomes: %v, want %v", path, !told, told)
		}
	}
}
