package main

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
	"strconv"
	"strings"
	"time"
)

// lxdfleet is what is measured: one API call, then pages through the proxy.
type lxdfleet struct {
	api, pages  *http.Client
	image, plan string
}

func newFleet(socket, https, ca, image, plan string) (*lxdfleet, error) {
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
	return &lxdfleet{
		api: &http.Client{Transport: &http.Transport{DialContext: dial("unix", socket)}},
		pages: &http.Client{
			Transport:     &http.Transport{DialContext: dial("tcp", https), TLSClientConfig: &tls.Config{RootCAs: roots}},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		image: image, plan: plan,
	}, nil
}

// create asks for the tenant, follows the job to its end as `lxdfleet tenant create` does, and
// fetches the page. Fetching from the start would measure this program: it would take the CPU
// time that the instances need to boot.
func (l *lxdfleet) create(ctx context.Context, name string) error {
	domain := name + ".localhost"
	body, err := l.call(ctx, http.MethodPost, "/v1/tenants", map[string]any{
		"name": name, "image": l.image, "plan": l.plan, "domains": []string{domain},
	})
	if err != nil {
		return err
	}
	if err := l.follow(ctx, body); err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	return pollPage(ctx, l.pages, "https://"+domain+"/", domain)
}

func (l *lxdfleet) remove(ctx context.Context, name string) error {
	body, err := l.call(ctx, http.MethodDelete, "/v1/tenants/"+name+"?now=true", nil)
	if err != nil {
		return err
	}
	if err := l.follow(ctx, body); err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}

type job struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Error string `json:"error"`
}

// follow reads the events of the job in an answer until it has ended; the error is its own.
func (l *lxdfleet) follow(ctx context.Context, answer []byte) error {
	var j job
	if err := json.Unmarshal(answer, &j); err != nil {
		return err
	}
	events, err := l.call(ctx, http.MethodGet, "/v1/jobs/"+j.ID+"/events", nil) // ends with the job
	if err != nil {
		return err
	}
	_, end, found := strings.Cut(string(events), "event: end\n")
	if !found {
		return fmt.Errorf("the events of job %s broke off", j.ID)
	}
	for line := range strings.Lines(end) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(data), &j); err != nil {
				return err
			}
		}
	}
	if j.State != "done" {
		return fmt.Errorf("job %s: %s: %s", j.ID, j.State, j.Error)
	}
	return nil
}

func (l *lxdfleet) call(ctx context.Context, method, path string, body any) ([]byte, error) {
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		payload = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://lxdfleet"+path, payload)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.api.Do(req)
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

// pollPage fetches the page until it is good: status 200. Both sides are asked every 10 ms.
func pollPage(ctx context.Context, client *http.Client, url, host string) error {
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
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s (Host %s) gave no good page in three minutes: %s", url, host, last)
}

// busy is the processor time that the whole machine has used since it was started.
func busy() time.Duration {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	total := int64(0)
	for i, field := range strings.Fields(line)[1:] {
		if i == 3 || i == 4 { // idle, waiting
			continue
		}
		n, _ := strconv.ParseInt(field, 10, 64)
		total += n
	}
	return time.Duration(total) * 10 * time.Millisecond // USER_HZ is 100, proc(5)
}

// resident reads how much memory a process has resident.
func resident(pid int) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(rest) + " resident"
		}
	}
	return "unknown"
}
