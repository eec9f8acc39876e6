package api

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ListPlans lists the plans.
func (s *Server) ListPlans(ctx context.Context, _ ListPlansRequestObject) (ListPlansResponseObject, error) {
	profiles, err := s.Plans(ctx)
	if err != nil {
		return nil, err
	}
	list := PlanList{Items: make([]Plan, len(profiles))}
	for i, p := range profiles {
		list.Items[i] = Plan{
			Name: p.Name, Description: p.Description, Cpu: p.Config["limits.cpu"], Memory: p.Config["limits.memory"],
			Processes: p.Config["limits.processes"], Disk: rootSize(p), Default: p.Name == s.DefaultPlan,
		}
	}
	return ListPlans200JSONResponse(list), nil
}

// rootSize is the size of the disk a plan mounts at the root.
func rootSize(p fleet.ProfileSpec) string {
	for _, device := range p.Devices {
		if device["type"] == "disk" && device["path"] == "/" {
			return device["size"]
		}
	}
	return ""
}
