package apifake

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// traffic gives what the proxy did; each call is two seconds later than the one before, and busy
// in between.
func (f *Fleet) traffic(context.Context) (fleet.Traffic, error) {
	f.mu.Lock()
	f.seen++
	n := uint64(f.seen)
	f.mu.Unlock()
	bounds := []time.Duration{time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second}
	return fleet.Traffic{
		At: Now.Add(time.Duration(n) * 2 * time.Second), Since: Now, Generation: 17, Hosts: 5, Bounds: bounds,
		Tenants: []fleet.TenantTraffic{
			{Codes: []fleet.CodeCount{{Class: 4, Code: 404, Requests: n}}, Buckets: []uint64{n, 0, 0, 0, 0}, Took: time.Millisecond},
			{
				Tenant: "acme", State: fleet.RouteServe, Inflight: 3,
				Codes:   []fleet.CodeCount{{Class: 2, Code: 200, Requests: 100 * n}, {Class: 5, Code: 502, Requests: 2 * n}, {Requests: 1}},
				Buckets: []uint64{0, 50 * n, 50 * n, 2 * n, 0}, Took: time.Second, Answered: 100 * n, FirstByte: time.Second,
				BytesIn: 1 << 10 * n, BytesOut: 6 << 20 * n, Retries: n,
			},
			{
				Tenant: "globex", State: fleet.RouteHold, Reasons: []string{"backup", "route"}, Waiting: 7,
				Codes:   []fleet.CodeCount{{Class: 5, Code: 503, Requests: 1200 * n}},
				Buckets: []uint64{0, 0, 0, 0, 1200 * n}, Took: time.Hour, Held: n, HeldFor: time.Minute,
			},
			{Tenant: "initech", State: fleet.RouteStopped, Buckets: make([]uint64, 5)},
		},
	}, f.called("Traffic")
}

func (f *Fleet) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = io.WriteString(w, "lxdfleet_info{version=\"1.2.3\"} 1\n")
}
