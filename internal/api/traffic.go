package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// GetTraffic gives what the proxy answered.
func (s *Server) GetTraffic(ctx context.Context, _ GetTrafficRequestObject) (GetTrafficResponseObject, error) {
	traffic, err := s.Traffic(ctx)
	if err != nil {
		return nil, err
	}
	if caller := callerOf(ctx); caller.Bound() {
		traffic.Hosts = 0
		traffic.Tenants = slices.DeleteFunc(slices.Clone(traffic.Tenants), func(t fleet.TenantTraffic) bool { return !caller.Sees(t.Tenant) })
	}
	out := Traffic{
		At: traffic.At, Since: traffic.Since, Generation: traffic.Generation, Hosts: traffic.Hosts,
		Bounds: make([]float64, len(traffic.Bounds)), Items: make([]TenantTraffic, len(traffic.Tenants)),
	}
	for i, b := range traffic.Bounds {
		out.Bounds[i] = b.Seconds()
	}
	for i, t := range traffic.Tenants {
		out.Items[i] = tenantTraffic(t)
	}
	return GetTraffic200JSONResponse(out), nil
}

func tenantTraffic(t fleet.TenantTraffic) TenantTraffic {
	out := TenantTraffic{
		Tenant: t.Tenant.String(), State: string(t.State), Reasons: t.Reasons, Requests: int64(t.Requests()),
		Codes: make([]CodeCount, len(t.Codes)), Buckets: make([]int64, len(t.Buckets)), Seconds: t.Took.Seconds(),
		Answered: int64(t.Answered), FirstByteSeconds: t.FirstByte.Seconds(), BytesIn: int64(t.BytesIn), BytesOut: int64(t.BytesOut),
		HeldTotal: int64(t.Held), HeldSeconds: t.HeldFor.Seconds(), Retries: int64(t.Retries), InFlight: t.Inflight, Held: t.Waiting,
	}
	for i, c := range t.Codes {
		out.Codes[i] = CodeCount{Class: c.Class, Code: c.Code, Requests: int64(c.Requests)}
	}
	for i, n := range t.Buckets {
		out.Buckets[i] = int64(n)
	}
	return out
}

// GetMetrics gives the metrics.
func (s *Server) GetMetrics(ctx context.Context, _ GetMetricsRequestObject) (GetMetricsResponseObject, error) {
	return metricsResponse{s.Metrics, callOf(ctx).request}, nil
}

// metricsResponse leaves the form of the answer to what Prometheus asks for.
type metricsResponse struct {
	handler http.Handler
	request *http.Request
}

// VisitGetMetricsResponse writes the answer.
func (m metricsResponse) VisitGetMetricsResponse(w http.ResponseWriter) error {
	m.handler.ServeHTTP(w, m.request)
	return nil
}
