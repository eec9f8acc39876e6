package images

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// healthPause lies between two questions, attemptTime is the longest one question may take.
const (
	healthPause = 100 * time.Millisecond
	attemptTime = 10 * time.Second
)

// waitHealthy asks the application at backend, an address:port, until it answers well or the check's timeout
// has passed: then the error, of code Unhealthy, tells the last answer.
func waitHealthy(ctx context.Context, client *http.Client, backend, host string, check fleet.HealthCheck) error {
	bounded, cancel := context.WithTimeout(ctx, check.Timeout)
	defer cancel()
	for {
		last := ask(bounded, client, backend, host, check)
		if last == nil {
			return nil
		}
		select {
		case <-bounded.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fleet.Errorf(fleet.Unhealthy, "no good answer within %s; the last: %v", check.Timeout, last)
		case <-time.After(healthPause):
		}
	}
}

// ask makes one request; nil means healthy.
func ask(ctx context.Context, client *http.Client, backend, host string, check fleet.HealthCheck) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	url := "http://" + backend + check.Path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Host = host
	// As the proxy will ask, so that the application does not redirect to HTTPS.
	req.Header.Set("X-Forwarded-Proto", "https")
	req.Header.Set("X-Forwarded-Host", host)
	req.Header.Set("User-Agent", "lxdfleet-health")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer: %w", err)
	case !check.Accepts(resp.StatusCode):
		return fmt.Errorf("%s answered %s", check.Path, resp.Status)
	case !strings.Contains(string(body), check.Body):
		return fmt.Errorf("%s answered %s without the text %q", check.Path, resp.Status, check.Body)
	}
	return nil
}
