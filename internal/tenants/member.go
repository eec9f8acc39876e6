package tenants

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

// MemberView is a member with what operators said of it and what is on it.
type MemberView struct {
	fleet.Member
	Record   fleet.MemberRecord
	Tenants  int
	Reserved placement.Needs // what the tenants' plans promise
	Level    placement.Level
}

// Members lists the members, by name. LXD is asked anew.
func (s *Service) Members(ctx context.Context) ([]MemberView, error) {
	if err := s.Observer.survey.read(ctx); err != nil {
		return nil, err
	}
	records, err := s.Store.MemberRecords(ctx)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]fleet.MemberRecord, len(records))
	for _, r := range records {
		byName[r.Name] = r
	}
	standings := placement.Standings(s.Observer.outlook(*s.opt.Rules))
	views := make([]MemberView, len(standings))
	for i, at := range standings {
		record := byName[at.Member.Name]
		record.Name = at.Member.Name
		views[i] = MemberView{Member: at.Member.Member, Record: record, Tenants: at.Tenants, Reserved: at.Reserved, Level: at.Level}
	}
	return views, nil
}

// Member gives one member; fleet.NotFound.
func (s *Service) Member(ctx context.Context, name string) (MemberView, error) {
	views, err := s.Members(ctx)
	if err != nil {
		return MemberView{}, err
	}
	var names []string
	for _, v := range views {
		if v.Name == name {
			return v, nil
		}
		names = append(names, v.Name)
	}
	return MemberView{}, fleet.Errorf(fleet.NotFound, "there is no member %q", name).WithField("member").
		WithHint("members: %s", strings.Join(names, ", "))
}

// CheckTarget fails with fleet.NotFound, field "to", where there is no such member to move to. One
// that ends in a colon is any member of that cluster.
func (s *Service) CheckTarget(ctx context.Context, to string) error {
	views, err := s.Members(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, v := range views {
		if v.Name == to || strings.HasSuffix(to, ":") && strings.HasPrefix(v.Name, to) {
			return nil
		}
		names = append(names, v.Name)
	}
	return fleet.Errorf(fleet.NotFound, "there is no member %q", to).WithField("to").WithHint("members: %s", strings.Join(names, ", "))
}

// MemberEdit asks for other words about a member. What is nil stays as it is.
type MemberEdit struct {
	// Cordoned: no tenant is placed on it or moved to it from now on. Reason goes with it.
	Cordoned *bool
	Reason   *string
	Labels   map[string]string // set; an empty value removes the label
}

// EditMember changes what is said of a member. It holds from the next placement on, and moves
// nothing. It may be repeated. Errors: fleet.NotFound, fleet.Invalid with the field at fault.
func (s *Service) EditMember(ctx context.Context, name string, edit MemberEdit) (MemberView, error) {
	if err := edit.check(); err != nil {
		return MemberView{}, err
	}
	view, err := s.Member(ctx, name)
	if err != nil {
		return MemberView{}, err
	}
	for range 10 { // others may change it at the same time
		record, err := s.Store.MemberRecord(ctx, name)
		if err != nil {
			return MemberView{}, err
		}
		after := edit.apply(record)
		if after.Cordoned == record.Cordoned && after.Reason == record.Reason && maps.Equal(after.Labels, record.Labels) {
			view.Record = record
			return view, nil
		}
		after.UpdatedAt = s.opt.Now()
		after, err = s.Store.SaveMemberRecord(ctx, after)
		if err == nil {
			view.Record = after
			return view, nil
		}
		if fleet.CodeOf(err) != fleet.Conflict {
			return MemberView{}, err
		}
	}
	return MemberView{}, fleet.Errorf(fleet.Conflict, "member %s is changed by others all the time", name).WithHint("try again")
}

// lxdLabels are the labels that LXD's words make.
var lxdLabels = []string{"name", "group", "failure-domain", "role"}

func (e MemberEdit) check() error {
	if e.Reason != nil && !fleet.Printable(*e.Reason, 200) {
		return fleet.Errorf(fleet.Invalid, "%q is too long or has characters that cannot be printed", *e.Reason).WithField("reason").
			WithHint("use at most 200 printable characters")
	}
	for key, value := range e.Labels {
		if err := fleet.CheckLabel(key, value); err != nil {
			return err
		}
		if slices.Contains(lxdLabels, key) {
			return fleet.Errorf(fleet.Invalid, "the label %s is LXD's own", key).WithField("labels").
				WithHint("change it with lxc cluster, or choose another key")
		}
	}
	return nil
}

func (e MemberEdit) apply(m fleet.MemberRecord) fleet.MemberRecord {
	set(&m.Cordoned, e.Cordoned)
	set(&m.Reason, e.Reason)
	if !m.Cordoned {
		m.Reason = ""
	}
	if len(e.Labels) > 0 {
		labels := maps.Clone(m.Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		for key, value := range e.Labels {
			if labels[key] = value; value == "" {
				delete(labels, key)
			}
		}
		m.Labels = labels
	}
	return m
}
