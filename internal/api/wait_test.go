package api_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// asked sends a request as a local user and gives the answer.
func asked(ctx context.Context, s *api.Server, r request) *httptest.ResponseRecorder {
	req := httptest.NewRequestWithContext(api.AsLocal(ctx, "root"), r.method, r.path, strings.NewReader(r.body))
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, req)
	return w
}

func TestPreferWait(t *testing.T) {
	restart := request{method: "POST", path: "/v1/tenants/acme/restart"}
	put := request{method: "PUT", path: "/v1/tenants/umbrella", body: `{"image":"wordpress"}`}
	for name, tt := range map[string]struct {
		request request
		prefer  string
		ends    time.Duration // of the job
		as      fleet.JobState
		took    time.Duration
		status  int
		applied string
		says    string
	}{
		"no preference":       {restart, "", time.Minute, fleet.JobDone, 0, 202, "", `"state":"running"`},
		"ends in time":        {restart, "wait=10", 4 * time.Second, fleet.JobDone, 4 * time.Second, 202, "wait=10", `"state":"done"`},
		"ends too late":       {restart, "wait=10", time.Minute, fleet.JobDone, 10 * time.Second, 202, "wait=10", `"state":"running"`},
		"fails":               {restart, "respond-async, wait=10", time.Second, fleet.JobUndone, time.Second, 202, "wait=10", `"state":"undone"`},
		"bounded":             {restart, "Wait=100000", time.Hour, fleet.JobDone, 2 * time.Minute, 202, "wait=120", `"state":"running"`},
		"with a parameter":    {restart, `wait="3"; x=y`, time.Minute, fleet.JobDone, 3 * time.Second, 202, "wait=3", `"state":"running"`},
		"not a number":        {restart, "wait=soon", time.Minute, fleet.JobDone, 0, 202, "", `"state":"running"`},
		"negative":            {restart, "wait=-1", time.Minute, fleet.JobDone, 0, 202, "", `"state":"running"`},
		"a put ends in time":  {put, "wait=10", time.Second, fleet.JobDone, time.Second, 200, "wait=10", `"link":"https://fleet.example:8446/credentials#` + apifake.Secret},
		"a put ends too late": {put, "wait=10", time.Minute, fleet.JobDone, 10 * time.Second, 202, "wait=10", `"outcome":"created"`},
		"a put's job fails":   {put, "wait=10", time.Second, fleet.JobUndone, time.Second, 503, "wait=10", `"job":"0000`},
		"a put does not wait": {put, "", time.Minute, fleet.JobDone, 0, 202, "", `"outcome":"created"`},
	} {
		t.Run(name, func(t *testing.T) {
			f := apifake.New()
			s, err := api.New(f.Options(t.TempDir()))
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				f.Jobs.Hold()
				go func() {
					time.Sleep(tt.ends)
					var why error
					if tt.as != fleet.JobDone {
						why = fleet.Errorf(fleet.Unavailable, "n2 does not answer")
					}
					f.Jobs.Finish(job1, tt.as, why)
				}()
				if tt.prefer != "" {
					tt.request.header = map[string]string{"Prefer": tt.prefer}
				}
				began := time.Now()
				w := asked(t.Context(), s, tt.request)
				if took := time.Since(began); took != tt.took || w.Code != tt.status || w.Header().Get("Preference-Applied") != tt.applied || !strings.Contains(w.Body.String(), tt.says) {
					t.Errorf("after %s: %d %v %s", took, w.Code, w.Header(), w.Body)
				}
				time.Sleep(2 * time.Hour)
			})
		})
	}
}

// Who waits for a job keeps nobody else from changing what it works on, and its change is in the
// audit log while it waits.
func TestPreferWaitHoldsUpNobody(t *testing.T) {
	f := apifake.New()
	s, err := api.New(f.Options(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f.Jobs.Hold()
		waiting := make(chan *httptest.ResponseRecorder)
		go func() {
			waiting <- asked(t.Context(), s, request{method: "POST", path: "/v1/tenants/acme/restart", header: map[string]string{"Prefer": "wait=60"}})
		}()
		synctest.Wait()
		log := asked(t.Context(), s, request{method: "GET", path: "/v1/audit"}).Body.String()
		if !strings.Contains(log, `"operation":"restartTenant"`) || !strings.Contains(log, `"job":"`+job1) || !strings.Contains(log, `"status":202`) {
			t.Errorf("the audit log has %s", log)
		}
		if w := asked(t.Context(), s, request{method: "PATCH", path: "/v1/tenants/acme", body: `{"contact":"x"}`}); w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		get := make(chan *httptest.ResponseRecorder)
		go func() {
			get <- asked(t.Context(), s, request{method: "GET", path: "/v1/jobs/" + job1, header: map[string]string{"Prefer": "wait=60"}})
		}()
		synctest.Wait()
		f.Jobs.Finish(job1, fleet.JobDone, nil)
		for _, answer := range []chan *httptest.ResponseRecorder{waiting, get} {
			if text := (<-answer).Body.String(); !strings.Contains(text, `"state":"done"`) {
				t.Error(text)
			}
		}
		var entries struct{ Items []struct{ Operation string } }
		if err := json.Unmarshal(asked(t.Context(), s, request{method: "GET", path: "/v1/audit"}).Body.Bytes(), &entries); err != nil || len(entries.Items) != 2 {
			t.Errorf("%+v %v", entries, err)
		}
	})
}

func TestPutVersions(t *testing.T) {
	f := apifake.New()
	s, err := api.New(f.Options(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	send := func(header, value string) *httptest.ResponseRecorder {
		return asked(t.Context(), s, request{method: "PUT", path: "/v1/tenants/acme", body: `{"image":"wordpress"}`, header: map[string]string{header: value}})
	}
	version := asked(t.Context(), s, request{method: "GET", path: "/v1/tenants/acme"}).Header().Get("ETag")
	if w := send("If-Match", version); w.Code != 200 || w.Header().Get("ETag") != version {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for header, value := range map[string]string{"If-Match": `"old"`, "If-None-Match": "*"} {
		if w := send(header, value); w.Code != 412 || w.Header().Get("ETag") != version || !strings.Contains(w.Body.String(), `"field":"`+header) {
			t.Errorf("%s: %d %v %s", header, w.Code, w.Header(), w.Body)
		}
	}
}
