package tenants

import (
	"cmp"
	"context"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

// ExplainRequest asks where a tenant would be placed now.
type ExplainRequest struct {
	// Tenant is one that there is, with its own plan, labels, image and wishes. Empty: one that
	// is not made yet, as the other fields say.
	Tenant string
	Plan   string // empty: the default plan
	Labels map[string]string
	Image  string // empty: it does not matter
	Wishes fleet.Wishes
	Member string // the only one in question; empty: any
}

// Explanation is where a tenant would be placed, and why.
type Explanation struct {
	// Member is the one chosen; empty: there is none, and Refusal says why.
	Member   string
	Refusal  error
	Verdicts []placement.Verdict
	// Location is where the tenant is now; empty for one that is not made yet.
	Location string
	Strategy placement.Strategy
}

// Explain chooses as a create would, changes nothing, and tells what was found of each member.
// Errors are those of the request; that no member fits is none.
func (s *Service) Explain(ctx context.Context, req ExplainRequest) (Explanation, error) {
	t, image, err := s.explained(ctx, req)
	if err != nil {
		return Explanation{}, err
	}
	if err := s.Observer.survey.read(ctx); err != nil {
		return Explanation{}, err
	}
	view, err := s.outlook(ctx)
	if err != nil {
		return Explanation{}, err
	}
	unpackedOn(view, image)
	w := s.wishOf(t)
	w.Member, w.Image = req.Member, image.Fingerprint
	out := Explanation{Strategy: cmp.Or(view.Rules.Strategy, placement.Spread)}
	if req.Tenant != "" {
		out.Location = cmp.Or(s.Observer.Observation(t).Location, t.Member)
		if cluster := fleet.ClusterOf(out.Location); cluster != "" && w.Member == "" {
			w.Member = cluster + ":"
		}
	}
	choice, err := placement.Choose(view, w)
	if fleet.CodeOf(err) == fleet.Invalid || len(choice.Verdicts) == 0 && err != nil {
		return Explanation{}, err
	}
	out.Member, out.Verdicts, out.Refusal = choice.Member, choice.Verdicts, err
	return out, nil
}

// explained gives the tenant and the image the request is about.
func (s *Service) explained(ctx context.Context, req ExplainRequest) (t fleet.Tenant, image fleet.GoldenImage, err error) {
	if req.Tenant == "" {
		t = fleet.Tenant{Plan: cmp.Or(req.Plan, s.opt.DefaultPlan), Labels: req.Labels}
		if t.Wishes, err = tidy(req.Wishes); err != nil {
			return t, image, err
		}
		if err := checkTexts(t); err != nil {
			return t, image, err
		}
		if err := s.plan(ctx, t.Plan); err != nil {
			return t, image, err
		}
		if req.Image != "" {
			image, err = s.image(ctx, req.Image)
		}
		return t, image, err
	}
	name, err := fleet.ParseName(req.Tenant)
	if err != nil {
		return t, image, err
	}
	if t, err = s.tenant(ctx, name); err != nil {
		return t, image, err
	}
	if t.Image.Name != "" {
		image, err = s.Images.GoldenImage(ctx, t.Image)
		if fleet.CodeOf(err) == fleet.NotFound { // deleted since: it does not matter
			image, err = fleet.GoldenImage{}, nil
		}
	}
	return t, image, err
}
