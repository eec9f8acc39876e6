package api

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// GetTenantMetrics gives what a tenant used lately.
func (s *Server) GetTenantMetrics(ctx context.Context, r GetTenantMetricsRequestObject) (GetTenantMetricsResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	view, err := s.Tenants.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	counts, err := s.DiskCount(ctx)
	if err != nil {
		counts = fleet.DiskUnknown // LXD is away: what is remembered is shown all the same
	}
	out := TenantMetrics{Disk: TenantMetricsDisk(counts), Items: []TenantUse{}, Traffic: []TrafficSpan{}}
	if counts == fleet.DiskOwn || counts == fleet.DiskAll {
		// A tenant's image may be gone from the list, as after a recovery.
		if image, err := s.Images.Get(ctx, view.Image); err == nil {
			out.ImageSize = int64(image.Size)
		}
	}
	points, spans := s.Gauges.Tenant(name, after(r.Params.After))
	for _, p := range points {
		use := TenantUse{At: p.At, Cpu: p.CPU, Memory: int64(p.Memory), Processes: p.Processes}
		if p.Disk > 0 {
			disk := int64(p.Disk)
			use.Disk = &disk
		}
		out.Items = append(out.Items, use)
	}
	for _, t := range spans {
		out.Traffic = append(out.Traffic, TrafficSpan{
			At: t.At, Seconds: t.Span.Seconds(), Requests: t.Requests, Errors: t.Errors, Mean: t.Mean, P95: t.P95,
		})
	}
	return GetTenantMetrics200JSONResponse(out), nil
}

// GetMemberMetrics gives what a member used lately.
func (s *Server) GetMemberMetrics(ctx context.Context, r GetMemberMetricsRequestObject) (GetMemberMetricsResponseObject, error) {
	if _, err := s.Placement.Member(ctx, r.Name); err != nil {
		return nil, err
	}
	out := MemberMetrics{Items: []MemberUse{}}
	for _, p := range s.Gauges.Member(r.Name, after(r.Params.After)) {
		out.Items = append(out.Items, MemberUse{
			At: p.At, Tenants: p.Tenants, PoolTotal: int64(p.PoolTotal), PoolUsed: int64(p.PoolUsed),
			MemoryTotal: int64(p.MemoryTotal), MemoryUsed: int64(p.MemoryUsed), Cpus: p.CPUs, Load: p.Load,
			TenantsCpu: p.TenantCPU, TenantsMemory: int64(p.TenantMemory),
		})
	}
	return GetMemberMetrics200JSONResponse(out), nil
}

func after(t *AfterTime) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
