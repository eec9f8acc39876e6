package tenants

import (
	"cmp"
	"context"
	"maps"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// EditRequest asks for other words about a tenant. What is nil stays as it is.
type EditRequest struct {
	DisplayName *string
	Contact     *string
	Labels      map[string]string // set; an empty value removes the label
	Wishes      WishesEdit
	Policy      *string        // empty: none
	Window      *string        // as fleet.ParseWindow reads it; empty: none
	TimeZone    *string        // an IANA name; empty: the policy's
	Quiesce     *fleet.Quiesce // how its application is held still for snapshots; the zero one: by the image's hook
}

// WishesEdit asks for other wishes of a tenant's member. What is nil stays as it is; an empty list
// takes the wishes of its kind away. It moves nothing: see Service.RebalancePlan.
type WishesEdit struct {
	Require, Prefer, Apart, Together *[]string
	Pinned                           *bool
}

// apply gives the wishes after the edit.
func (e WishesEdit) apply(was *fleet.Wishes) (*fleet.Wishes, error) {
	var w fleet.Wishes
	if was != nil {
		w = *was
	}
	set(&w.Require, e.Require)
	set(&w.Prefer, e.Prefer)
	set(&w.Apart, e.Apart)
	set(&w.Together, e.Together)
	set(&w.Pinned, e.Pinned)
	return tidy(w)
}

// tidy gives wishes as a tenant has them: nil where there are none.
func tidy(w fleet.Wishes) (*fleet.Wishes, error) {
	w, err := w.Tidy()
	if err != nil || w.Empty() {
		return nil, err
	}
	return &w, nil
}

// Edit changes what is written down about a tenant, without a job. It may be repeated. Errors:
// fleet.Invalid with the field at fault.
func (s *Service) Edit(ctx context.Context, name fleet.Name, req EditRequest) (View, error) {
	t, err := s.altered(ctx, name)
	if err != nil {
		return View{}, err
	}
	if req.Policy != nil {
		if err := s.policy(ctx, *req.Policy); err != nil {
			return View{}, err
		}
	}
	return s.viewed(ctx, t.ID, func(t *fleet.Tenant) (bool, error) {
		was := *t
		req.schedule(t)
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
		wishes, err := req.Wishes.apply(t.Wishes)
		if err != nil {
			return false, err
		}
		t.Wishes = wishes
		changed := t.DisplayName != was.DisplayName || t.Contact != was.Contact || !maps.Equal(t.Labels, was.Labels) ||
			!sameWishes(t.Wishes, was.Wishes) || t.Policy != was.Policy || t.TimeZone != was.TimeZone || t.Window != was.Window || t.Quiesce != was.Quiesce
		return changed, cmp.Or(checkTexts(*t), checkSchedule(*t))
	})
}

func sameWishes(a, b *fleet.Wishes) bool {
	return a == b || a != nil && b != nil && a.Equal(*b)
}
