package bench

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
	"os"
	"strings"
	"time"
)

// Fleet is an lxdfleet that runs.
type Fleet struct {
	api *http.Client
	// Pages fetches from its proxy, whatever the host is.
	Pages *http.Client

	https string
}

// URL is where a host's pages are, without a final slash.
func (f *Fleet) URL(host string) string {
	if _, port, err := net.SplitHostPort(f.https); err == nil && port != "443" {
		host += ":" + port
	}
	return "https://" + host
}

// OpenFleet takes the daemon's socket, the address of its HTTPS proxy and the file with its
// certificate authority.
func OpenFleet(socket, https, ca string) (*Fleet, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("the certificate authority (lxdfleet ca export): %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", ca)
	}
	dial := func(network, address string) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
	}
	return &Fleet{
		https: https,
		api:   &http.Client{Transport: &http.Transport{DialContext: dial("unix", socket)}},
		Pages: &http.Client{
			Transport: &http.Transport{
				DialContext: dial("tcp", https), TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 64,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

type job struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Error string `json:"error"`
}

// Do makes a request that answers with a job, and follows that to its end as the command line
// does; the error is the job's own.
func (f *Fleet) Do(ctx context.Context, method, path string, body any) error {
	_, err := f.Run(ctx, method, path, body)
	return err
}

// Run is Do, and gives the job's ID.
func (f *Fleet) Run(ctx context.Context, method, path string, body any) (id string, err error) {
	answer, err := f.Call(ctx, method, path, body)
	if err != nil {
		return "", err
	}
	var j job
	if err := json.Unmarshal(answer, &j); err != nil {
		return "", fmt.Errorf("%s %s: %w in %s", method, path, err, answer)
	}
	events, err := f.Call(ctx, http.MethodGet, "/v1/jobs/"+j.ID+"/events", nil) // ends with the job
	if err != nil {
		return "", err
	}
	_, end, found := strings.Cut(string(events), "event: end\n")
	if !found {
		return "", fmt.Errorf("%s %s: the events of job %s broke off", method, path, j.ID)
	}
	for line := range strings.Lines(end) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(data), &j); err != nil {
				return "", fmt.Errorf("the end of job %s: %w", j.ID, err)
			}
		}
	}
	if j.State != "done" {
		return "", fmt.Errorf("%s %s: job %s: %s: %s", method, path, j.ID, j.State, j.Error)
	}
	return j.ID, nil
}

// Spans tells how long each step of a job took that is done.
func (f *Fleet) Spans(ctx context.Context, id string) (map[string]time.Duration, error) {
	answer, err := f.Call(ctx, http.MethodGet, "/v1/jobs/"+id, nil)
	if err != nil {
		return nil, err
	}
	var shown struct{ Events []event }
	if err := json.Unmarshal(answer, &shown); err != nil {
		return nil, fmt.Errorf("job %s: %w", id, err)
	}
	return spans(shown.Events), nil
}

// event is one of a job's.
type event struct {
	At         time.Time
	Step, Type string
}

func spans(events []event) map[string]time.Duration {
	began, took := map[string]time.Time{}, map[string]time.Duration{}
	for _, e := range events {
		switch e.Type {
		case "started":
			began[e.Step] = e.At
		case "done":
			took[e.Step] = e.At.Sub(began[e.Step])
		}
	}
	return took
}

// Call makes a request and gives the answer's body; a status of 300 or more is an error.
func (f *Fleet) Call(ctx context.Context, method, path string, body any) ([]byte, error) {
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		payload = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://lxdfleet"+path, payload)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.api.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	return answer, err
}

// PollPage fetches a page every 10 ms until it is good: status 200. host is asked for; empty: the
// URL's.
func PollPage(ctx context.Context, client *http.Client, url, host string) error {
	deadline := time.Now().Add(3 * time.Minute)
	last := ""
	for time.Now().Before(deadline) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		req.Host = host
		req.Header.Set("X-Forwarded-Proto", "https")
		resp, err := client.Do(req)
		if err == nil {
			last = resp.Status
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		} else {
			last = err.Error()
		}
		if err := Sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s (Host %s) gave no good page in three minutes: %s", url, host, last)
}
