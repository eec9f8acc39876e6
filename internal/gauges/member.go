package gauges

import (
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// MemberPoint is what a member had and used at a time.
type MemberPoint struct {
	At time.Time
	Member
	// TenantCPU is how many processors its tenants used when they were last asked of, TenantMemory
	// the bytes.
	TenantCPU    float64
	TenantMemory fleet.Size
}

// Member gives what is known of a member after a time, the oldest first.
func (s *Service) Member(name string, after time.Time) []MemberPoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	points := []MemberPoint{}
	for _, p := range s.members[name] {
		if p.At.After(after) {
			points = append(points, p)
		}
	}
	return points
}

func (s *Service) sawMembers(at time.Time, members []Member) {
	present := s.deps.Present()
	s.mu.Lock()
	defer s.mu.Unlock()
	used := make(map[string]*MemberPoint, len(members))
	for _, m := range members {
		used[m.Name] = &MemberPoint{At: at, Member: m}
	}
	for tenant, member := range present {
		point, g := used[member], s.tenants[tenant]
		if point == nil || g == nil || len(g.uses) == 0 {
			continue
		}
		last := len(g.uses) - 1
		point.TenantMemory += g.uses[last].Memory
		if last > 0 {
			if n := processors(g.uses[last-1], g.uses[last]); n != nil {
				point.TenantCPU += *n
			}
		}
	}
	for name, point := range used {
		s.members[name] = append(s.members[name], *point)
	}
}
