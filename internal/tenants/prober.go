package tenants

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// HTTPProber is the Prober that does what a visitor's request would: one GET, on a
// connection of its own, as if it had come through the proxy over HTTPS. It follows no
// redirect. Each probe ends after 10 seconds.
type HTTPProber struct {
	client *http.Client
	port   func() int
}

// NewHTTPProber makes an HTTPProber that connects by dial; nil: as net.Dialer does. port gives
// the port visitors reach the proxy at, 0 where there is none: an application that knows its
// own address redirects whoever asks for another.
func NewHTTPProber(dial Dial, port func() int) *HTTPProber {
	if dial == nil {
		dial = (&net.Dialer{Timeout: time.Second}).DialContext
	}
	return &HTTPProber{port: port, client: &http.Client{
		Timeout:       10 * time.Second,
		Transport:     &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Probe implements Prober.
func (p *HTTPProber) Probe(ctx context.Context, backend, host string, check fleet.HealthCheck) error {
	target := "http://" + backend + check.Path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return fmt.Errorf("make health request: %w", err)
	}
	if host != "" {
		req.Host = fleet.Domain(host).Authority(p.port())
	}
	req.Header.Set("User-Agent", "lxdfleet-health")
	req.Header.Set("X-Forwarded-Proto", "https")
	res, err := p.client.Do(req)
	if err != nil {
		return err //nolint:wrapcheck // it names the method and the address already
	}
	defer res.Body.Close() //nolint:errcheck // nothing was written
	if !check.Accepts(res.StatusCode) {
		return fmt.Errorf("GET %s answers %s", target, res.Status)
	}
	if check.Body == "" {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("read the answer of GET %s: %w", target, err)
	}
	if !strings.Contains(string(body), check.Body) {
		return fmt.Errorf("the answer of GET %s does not contain %q", target, check.Body)
	}
	return nil
}

// checkHealth checks the form of a health check; the error is of field "health".
func checkHealth(h fleet.HealthCheck) error {
	bad := func(why, hint string) error {
		return fleet.Errorf(fleet.Invalid, "%s", why).WithField("health").WithHint("%s", hint)
	}
	switch {
	case h.Port < 1 || h.Port > 65535:
		return bad(fmt.Sprintf("%d is not a port", h.Port), "give the application's port, 1 to 65535")
	case !strings.HasPrefix(h.Path, "/") || strings.ContainsAny(h.Path, " \t\r\n#"):
		return bad(fmt.Sprintf("%q is not a path", h.Path), "start it with a slash, without spaces")
	case h.Status != 0 && (h.Status < 100 || h.Status > 599):
		return bad(fmt.Sprintf("%d is not a status", h.Status), "give 100 to 599, or 0 for any from 200 to 399")
	case h.Timeout <= 0 || h.Timeout > time.Hour:
		return bad(fmt.Sprintf("a timeout of %s", h.Timeout), "give more than 0 and at most 1h")
	}
	return nil
}
