package app

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/gauges"
)

// wireGauges has what tenants and members use looked at.
func (a *App) wireGauges() {
	deps := gauges.Deps{Present: a.observer.Present, Use: a.lxd.Use, Members: a.membersNow, Log: a.log}
	if a.proxy != nil {
		deps.Traffic = a.proxy.Traffic
	}
	a.gauges = gauges.NewService(deps, gauges.Pace{})
}

func (a *App) membersNow(ctx context.Context) ([]gauges.Member, error) {
	members, err := a.tenants.Members(ctx)
	out := make([]gauges.Member, 0, len(members))
	for _, m := range members {
		if !m.Online {
			continue
		}
		out = append(out, gauges.Member{
			Name: m.Name, Tenants: m.Tenants, PoolTotal: m.PoolTotal, PoolUsed: m.PoolUsed,
			MemoryTotal: m.MemoryTotal, MemoryUsed: m.MemoryUsed, CPUs: m.CPUs, Load: m.Load,
		})
	}
	return out, err
}
