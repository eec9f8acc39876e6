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
		api: &http.Client{Transport: &http.Transport{DialContext: dial("unix", socket)}},
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
	answer, err := f.Call(ctx, method, path, body)
	if err != nil {
		return err
	}
	var j job
	if err := json.Unmarshal(answer, &j); err != nil {
		return fmt.Errorf("%s %s: %w in %s", method, path, err, answer)
	}
	events, err := f.Call(ctx, http.MethodGet, "/v1/jobs/"+j.ID+"/events", nil) // ends with the job
	if err != nil {
		return err
	}
	_, end, found := strings.Cut(string(events), "event: end\n")
	if !found {
		return fmt.Errorf("%s %s: the events of job %s broke off", method, path, j.ID)
	}
	for line := range strings.Lines(end) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(data), &j); err != nil {
				return fmt.Errorf("the end of job %s: %w", j.ID, err)
			}
		}
	}
	if j.State != "done" {
		return fmt.Errorf("%s %s: job %s: %s: %s", method, path, j.ID, j.State, j.Error)
	}
	return nil
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

// PollPage fetches a page every 10 ms until it is good: status 200.
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
