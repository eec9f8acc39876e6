package api

import "context"

// Recover rebuilds images and tenants that the store lacks from what LXD has.
func (s *Server) Recover(ctx context.Context, r RecoverRequestObject) (RecoverResponseObject, error) {
	report := RecoverReport{Images: []string{}, Tenants: []Recovered{}}
	if !r.Params.DryRun {
		images, err := s.RecoverImages(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range images {
			report.Images = append(report.Images, g.Ref().String())
		}
	}
	found, err := s.Tenants.Recover(ctx, r.Params.DryRun)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		report.Tenants = append(report.Tenants, Recovered{
			Instance: f.Instance, Tenant: f.Tenant.Name.String(), Outcome: RecoveredOutcome(f.Outcome), Reason: f.Reason,
		})
	}
	return Recover200JSONResponse(report), nil
}
