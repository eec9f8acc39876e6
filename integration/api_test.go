//go:build integration

package integration

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/pace"
)

func dialer(network, address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

// call makes an API request over the unix socket and reads the answer into out (nil: not).
// status is 0 where the daemon does not answer.
func (w *world) call(method, path string, body, out any, header ...string) (status int, raw string) {
	w.t.Helper()
	var payload io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		payload = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, "http://lxdfleet"+path, payload)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	api := &http.Client{Transport: &http.Transport{DialContext: dialer("unix", w.socket()), DisableKeepAlives: true}, Timeout: pace.Of(30 * time.Second)}
	resp, err := api.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	if out != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(answer, out); err != nil {
			w.t.Fatalf("%s %s: %v in %s", method, path, err, answer)
		}
	}
	return resp.StatusCode, string(answer)
}

func (w *world) answers() bool {
	status, _ := w.call(http.MethodGet, "/healthz", nil, nil)
	return status == http.StatusOK
}

// submit makes a request that answers with a job.
func (w *world) submit(method, path string, body any) client.Job {
	w.t.Helper()
	var job client.Job
	if status, raw := w.call(method, path, body, &job); status != http.StatusAccepted {
		w.t.Fatalf("%s %s: %d %s", method, path, status, raw)
	}
	return job
}

// wait waits until a job is finished.
func (w *world) wait(id string) client.JobDetail {
	w.t.Helper()
	var detail client.JobDetail
	eventually(w.t, 3*time.Minute, "job "+id+" ends", func() bool {
		status, _ := w.call(http.MethodGet, "/v1/jobs/"+id, nil, &detail)
		return status == http.StatusOK && detail.Job.Finished
	})
	return detail
}

// done waits for a job and fails the test when it did not end well.
func (w *world) done(job client.Job) {
	w.t.Helper()
	if detail := w.wait(job.Id); detail.Job.State != client.JobStateDone {
		w.t.Fatalf("job %s %s ended %s: %s\n%s", job.Kind, job.Subject, detail.Job.State, detail.Job.Error, eventLines(detail))
	}
}

func eventLines(d client.JobDetail) string {
	var b strings.Builder
	for _, e := range d.Events {
		fmt.Fprintf(&b, "  %s %s %s\n", e.Step, e.Type, e.Message)
	}
	return b.String()
}

// create makes a tenant of the tiny image and waits for it.
func (w *world) create(name string) {
	w.t.Helper()
	w.done(w.submit(http.MethodPost, "/v1/tenants", map[string]any{
		"name": name, "image": "tiny", "domains": []string{name + ".localhost"},
	}))
}

// tenant reads a tenant; its status is empty where there is none.
func (w *world) tenant(name string) client.Tenant {
	w.t.Helper()
	var t client.Tenant
	w.call(http.MethodGet, "/v1/tenants/"+name, nil, &t)
	return t
}

// page fetches a page over HTTPS, verified against the internal certificate authority.
func (w *world) page(domain string) (status int, body string) {
	w.t.Helper()
	_, pem := w.call(http.MethodGet, "/v1/ca", nil, nil)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(pem)) {
		return 0, "no certificate authority"
	}
	return w.fetch(domain, &tls.Config{RootCAs: roots})
}

// strangersPage fetches a page of a host that lxdfleet does not know, and so has no certificate for.
func (w *world) strangersPage(domain string) (status int, body string) {
	w.t.Helper()
	return w.fetch(domain, &tls.Config{InsecureSkipVerify: true})
}

func (w *world) fetch(domain string, trust *tls.Config) (status int, body string) {
	browser := &http.Client{
		Transport: &http.Transport{
			DialContext:     dialer("tcp", fmt.Sprintf("127.0.0.1:%d", w.https)),
			TLSClientConfig: trust, DisableKeepAlives: true,
		},
		Timeout: pace.Of(60 * time.Second),
	}
	resp, err := browser.Get("https://" + domain + "/")
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(raw)
}
