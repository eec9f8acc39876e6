package apifake

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/gauges"
)

func (f *Fleet) diskCount(context.Context) (fleet.DiskCount, error) {
	return fleet.DiskOwn, f.called("DiskCount")
}

// gaugesFake knows acme alone, which uses the more the later it is.
type gaugesFake struct{ fleet *Fleet }

// Tenant gives three points and two spans of acme.
func (g gaugesFake) Tenant(name fleet.Name, after time.Time) ([]gauges.Point, []gauges.Traffic) {
	_ = g.fleet.called("TenantGauges", name)
	if name != "acme" {
		return nil, nil
	}
	points, spans := []gauges.Point{}, []gauges.Traffic{}
	for i := range 3 {
		at := Now.Add(time.Duration(i-3) * 30 * time.Second)
		if !at.After(after) {
			continue
		}
		p := gauges.Point{At: at, Memory: fleet.Size(i+1) * 64 * fleet.MiB, Disk: fleet.Size(i) * fleet.MiB, Processes: 20 + i}
		if i > 0 {
			used, took := float64(i)/4, float64(i)/100
			p.CPU = &used
			spans = append(spans, gauges.Traffic{At: at, Span: 30 * time.Second, Requests: int64(i), Mean: &took, P95: &took})
		}
		points = append(points, p)
	}
	return points, append(spans, gauges.Traffic{At: Now, Span: 30 * time.Second})
}

// Member gives one point.
func (g gaugesFake) Member(name string, _ time.Time) []gauges.MemberPoint {
	_ = g.fleet.called("MemberGauges", name)
	load := 1.5
	return []gauges.MemberPoint{{At: Now, TenantCPU: 0.5, TenantMemory: 128 * fleet.MiB, Member: gauges.Member{
		Name: name, Tenants: 1, PoolTotal: 100 * fleet.GiB, PoolUsed: 25 * fleet.GiB,
		MemoryTotal: 16 * fleet.GiB, MemoryUsed: 4 * fleet.GiB, CPUs: 8, Load: &load,
	}}}
}
