package metrics

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// scrape gives the metrics as Prometheus reads them. The registry checks that they are
// consistent: described, of one type, without duplicates.
func scrape(t *testing.T, c prometheus.Collector) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func collect(t *testing.T, tr *Traffic, certificates ...Expiry) string {
	return scrape(t, NewCollector(tr, Sources{
		Now: func() fleet.Traffic {
			now := fleet.Traffic{Generation: 7, Hosts: 3, Bounds: Bounds(), Tenants: tr.Tenants()}
			for i := range now.Tenants {
				now.Tenants[i].Inflight, now.Tenants[i].Waiting = 4, 5
			}
			return now
		},
		Certificates: func() []Expiry { return certificates },
		Upgraded:     func() int { return 6 },
		LogDropped:   func() uint64 { return 8 },
	}))
}

func TestCollector(t *testing.T) {
	tr := New(time.Now(), "shape", "denied")
	tr.Follow(map[fleet.Name]bool{"acme": true, "quiet": true})
	acme := tr.Tenant("acme")
	acme.Record(Request{Code: 200, Took: 20 * time.Millisecond, FirstByte: 10 * time.Millisecond, In: 3, Out: 5, Retries: 1})
	acme.Record(Request{Code: 503, Took: 2 * time.Minute, WasHeld: true, Held: 1500 * time.Millisecond})
	acme.Record(Request{Code: 555, Took: 7 * time.Millisecond})
	acme.Record(Request{Code: 999, Took: 7 * time.Millisecond})
	tr.Tenant("").Record(Request{Code: 404})
	tr.Refused("shape")
	tr.Refused("no such reason")
	tr.HandshakeFailed()
	text := collect(t, tr, Expiry{"acme.example", time.Unix(2000, 0)}, Expiry{"*.b.example", time.Unix(1000, 0)})
	for _, line := range []string{
		`lxdfleet_proxy_requests_total{class="2xx",code="200",tenant="acme"} 1`,
		`lxdfleet_proxy_requests_total{class="5xx",code="503",tenant="acme"} 1`,
		`lxdfleet_proxy_requests_total{class="5xx",code="other",tenant="acme"} 1`,
		`lxdfleet_proxy_requests_total{class="other",code="other",tenant="acme"} 1`,
		`lxdfleet_proxy_requests_total{class="4xx",code="404",tenant=""} 1`,
		`lxdfleet_proxy_request_duration_seconds_bucket{tenant="acme",le="0.01"} 2`,
		`lxdfleet_proxy_request_duration_seconds_bucket{tenant="acme",le="0.025"} 3`,
		`lxdfleet_proxy_request_duration_seconds_bucket{tenant="acme",le="60"} 3`,
		`lxdfleet_proxy_request_duration_seconds_bucket{tenant="acme",le="+Inf"} 4`,
		`lxdfleet_proxy_request_duration_seconds_count{tenant="acme"} 4`,
		`lxdfleet_proxy_request_duration_seconds_count{tenant="quiet"} 0`,
		`lxdfleet_proxy_first_byte_seconds_sum{tenant="acme"} 0.01`,
		`lxdfleet_proxy_received_bytes_total{tenant="acme"} 3`,
		`lxdfleet_proxy_sent_bytes_total{tenant="acme"} 5`,
		`lxdfleet_proxy_held_requests_total{tenant="acme"} 1`,
		`lxdfleet_proxy_held_seconds_total{tenant="acme"} 1.5`,
		`lxdfleet_proxy_retries_total{tenant="acme"} 1`,
		`lxdfleet_proxy_inflight_requests{tenant="acme"} 4`,
		`lxdfleet_proxy_held_requests{tenant="acme"} 5`,
		`lxdfleet_proxy_refused_total{reason="shape"} 1`,
		`lxdfleet_proxy_refused_total{reason="denied"} 0`,
		`lxdfleet_proxy_refused_total{reason="other"} 1`,
		`lxdfleet_proxy_tls_handshakes_failed_total 1`,
		`lxdfleet_proxy_connections 0`,
		`lxdfleet_proxy_upgraded_connections 6`,
		`lxdfleet_proxy_routes_generation 7`,
		`lxdfleet_proxy_routes 3`,
		`lxdfleet_proxy_certificates 2`,
		`lxdfleet_proxy_certificate_expiry_timestamp_seconds{host="*.b.example"} 1000`,
		`lxdfleet_proxy_access_log_dropped_total 8`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestCertificatesAreBounded(t *testing.T) {
	var all []Expiry
	for i := range mostCertificates + 5 {
		all = append(all, Expiry{fmt.Sprintf("h%d.example", i), time.Unix(int64(1e6-i), 0)})
	}
	text := collect(t, New(time.Now()), all...)
	if n := strings.Count(text, "\nlxdfleet_proxy_certificate_expiry_timestamp_seconds{"); n != mostCertificates {
		t.Errorf("%d series", n)
	}
	if !strings.Contains(text, fmt.Sprintf(`{host="h%d.example"}`, len(all)-1)) || strings.Contains(text, `{host="h0.example"}`) {
		t.Error("those that end soonest are not the ones shown")
	}
	if want := fmt.Sprintf("lxdfleet_proxy_certificates %d\n", len(all)); !strings.Contains(text, want) {
		t.Errorf("%q is missing", want)
	}
}
