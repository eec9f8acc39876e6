package tenants

import (
	"context"
	"maps"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// EditRequest asks for other words about a tenant. What is nil stays as it is.
type EditRequest struct {
	DisplayName *string
	Contact     *string
	Labels      map[string]string // set; an empty value removes the label
}

// Edit changes what is written down about a tenant, without a job. It may be repeated. Errors:
// fleet.Invalid with the field at fault.
func (s *Service) Edit(ctx context.Context, name fleet.Name, req EditRequest) (View, error) {
	t, err := s.altered(ctx, name)
	if err != nil {
		return View{}, err
	}
	return s.viewed(ctx, t.ID, func(t *fleet.Tenant) (bool, error) {
		was := *t
		if req.DisplayName != nil {
			t.DisplayName = *req.DisplayName
		}
		if req.Contact != nil {
			t.Contact = *req.Contact
		}
		if len(req.Labels) > 0 {
			labels := maps.Clone(t.Labels)
			if labels == nil {
				labels = map[string]string{}
			}
			maps.Copy(labels, req.Labels)
			maps.DeleteFunc(labels, func(key, value string) bool {
				_, asked := req.Labels[key]
				return asked && value == ""
			})
			t.Labels = labels
		}
		changed := t.DisplayName != was.DisplayName || t.Contact != was.Contact || !maps.Equal(t.Labels, was.Labels)
		return changed, checkTexts(*t)
	})
}
