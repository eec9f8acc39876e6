package tenants

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestHTTPProber(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			_, _ = fmt.Fprintf(w, "welcome to %s by %s", r.Host, r.Header.Get("X-Forwarded-Proto"))
		case "/moved":
			http.Redirect(w, r, "/broken", http.StatusFound)
		default:
			http.Error(w, "broken", http.StatusBadGateway)
		}
	}))
	defer server.Close()
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	prober := NewHTTPProber(nil, func() int { return 8443 })
	defer prober.client.CloseIdleConnections()
	tests := []struct {
		name  string
		check fleet.HealthCheck
		port  uint16
		says  string // empty: well
	}{
		{"well", fleet.HealthCheck{Path: "/ok"}, at.Port(), ""},
		{"as a visitor through the proxy", fleet.HealthCheck{Path: "/ok", Body: "welcome to acme.test:8443 by https"}, at.Port(), ""},
		{"a redirect is not followed", fleet.HealthCheck{Path: "/moved"}, at.Port(), ""},
		{"wanted status", fleet.HealthCheck{Path: "/x", Status: 502}, at.Port(), ""},
		{"bad status", fleet.HealthCheck{Path: "/x"}, at.Port(), "502 Bad Gateway"},
		{"other status", fleet.HealthCheck{Path: "/ok", Status: 204}, at.Port(), "200 OK"},
		{"text missing", fleet.HealthCheck{Path: "/ok", Body: "installed"}, at.Port(), `does not contain "installed"`},
		{"nobody listens", fleet.HealthCheck{Path: "/ok"}, 1, "refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := prober.Probe(t.Context(), netip.AddrPortFrom(at.Addr(), tt.port).String(), "acme.test", tt.check)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

func TestCheckHealthTakesTheDefault(t *testing.T) {
	do(t, checkHealth(fleet.DefaultHealth()))
	do(t, checkHealth(fleet.HealthCheck{Port: 65535, Path: "/a?b=c", Status: 204, Timeout: time.Hour}))
}
