package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ListPolicies lists the policies.
func (s *Server) ListPolicies(ctx context.Context, _ ListPoliciesRequestObject) (ListPoliciesResponseObject, error) {
	policies, err := s.Policies.Policies(ctx)
	if err != nil {
		return nil, err
	}
	list := PolicyList{Items: make([]Policy, len(policies))}
	for i, p := range policies {
		list.Items[i] = policyOut(p)
	}
	return ListPolicies200JSONResponse(list), nil
}

// GetPolicy gives one policy.
func (s *Server) GetPolicy(ctx context.Context, r GetPolicyRequestObject) (GetPolicyResponseObject, error) {
	p, err := s.Policies.Policy(ctx, r.Policy)
	if err != nil {
		return nil, err
	}
	return GetPolicy200JSONResponse(policyOut(p)), nil
}

// CreatePolicy makes a policy.
func (s *Server) CreatePolicy(ctx context.Context, r CreatePolicyRequestObject) (CreatePolicyResponseObject, error) {
	p := fleet.Policy{Name: r.Body.Name, Description: r.Body.Description, TimeZone: r.Body.TimeZone}
	for _, of := range []struct {
		field string
		in    *Schedule
		out   **fleet.Schedule
	}{{"snapshots", r.Body.Snapshots, &p.Snapshots}, {"backups", r.Body.Backups, &p.Backups}, {"drills", r.Body.Drills, &p.Drills}} {
		if of.in == nil {
			continue
		}
		keep, err := keepIn(of.field, of.in.Keep)
		if err != nil {
			return nil, err
		}
		*of.out = &fleet.Schedule{Cron: of.in.Cron, Keep: keep}
	}
	p, err := s.Policies.SavePolicy(ctx, p)
	if err != nil {
		return nil, err
	}
	return CreatePolicy201JSONResponse(policyOut(p)), nil
}

// EditPolicy changes a policy.
func (s *Server) EditPolicy(ctx context.Context, r EditPolicyRequestObject) (EditPolicyResponseObject, error) {
	p, err := s.Policies.Policy(ctx, r.Policy)
	if err != nil {
		return nil, err
	}
	if r.Body.Description != nil {
		p.Description = *r.Body.Description
	}
	if r.Body.TimeZone != nil {
		p.TimeZone = *r.Body.TimeZone
	}
	for _, of := range []struct {
		field string
		edit  *ScheduleEdit
		of    **fleet.Schedule
	}{{"snapshots", r.Body.Snapshots, &p.Snapshots}, {"backups", r.Body.Backups, &p.Backups}, {"drills", r.Body.Drills, &p.Drills}} {
		if *of.of, err = editSchedule(of.field, *of.of, of.edit); err != nil {
			return nil, err
		}
	}
	if p, err = s.Policies.SavePolicy(ctx, p); err != nil {
		return nil, err
	}
	return EditPolicy200JSONResponse(policyOut(p)), nil
}

// editSchedule gives the schedule as the edit has it, or nil where it takes it away.
func editSchedule(field string, was *fleet.Schedule, edit *ScheduleEdit) (*fleet.Schedule, error) {
	if edit == nil {
		return was, nil
	}
	if edit.Cron != nil && *edit.Cron == "" {
		return nil, nil //nolint:nilnil // none is what was asked for
	}
	var now fleet.Schedule
	if was != nil {
		now = *was
	}
	if edit.Cron != nil {
		now.Cron = *edit.Cron
	}
	if now.Cron == "" {
		return nil, fleet.Errorf(fleet.Invalid, "the policy has no schedule for %s that something could be kept of", field).
			WithField(field + ".cron").WithHint("give a cron expression too, such as @daily")
	}
	if edit.Keep == nil {
		return &now, nil
	}
	var err error
	now.Keep, err = keepIn(field, *edit.Keep)
	return &now, err
}

// DeletePolicy deletes a policy.
func (s *Server) DeletePolicy(ctx context.Context, r DeletePolicyRequestObject) (DeletePolicyResponseObject, error) {
	if err := s.Policies.DeletePolicy(ctx, r.Policy); err != nil {
		return nil, err
	}
	return DeletePolicy204Response{}, nil
}

// GetSchedule tells what a tenant's policy does next and keeps.
func (s *Server) GetSchedule(ctx context.Context, r GetScheduleRequestObject) (GetScheduleResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	plan, err := s.Policies.Plan(ctx, name)
	if err != nil {
		return nil, err
	}
	kept, err := s.Backups.Kept(ctx, name)
	if err != nil {
		return nil, err
	}
	out := TenantSchedule{
		Tenant: plan.Tenant.String(), Policy: plan.Policy, TimeZone: plan.TimeZone,
		Runs: make([]ScheduledRun, len(plan.Runs)), Snapshots: make([]Retained, len(plan.Snapshots)), Backups: make([]Retained, len(kept)),
	}
	for i, x := range kept {
		out.Backups[i] = Retained{Name: x.Backup.ID, CreatedAt: x.Backup.TakenAt, Keep: x.Keep, Reasons: []string{x.Why}}
	}
	for i, run := range plan.Runs {
		out.Runs[i] = ScheduledRun{What: ScheduledRunWhat(run.What), Cron: run.Cron, Next: run.At}
	}
	for i, x := range plan.Snapshots {
		out.Snapshots[i] = Retained{Name: x.Name, CreatedAt: x.CreatedAt, Keep: x.Kept, Reasons: orEmpty(x.Reasons)}
	}
	return GetSchedule200JSONResponse(out), nil
}

func policyOut(p fleet.Policy) Policy {
	return Policy{
		Name: p.Name, Description: p.Description, TimeZone: p.TimeZone,
		Snapshots: scheduleOut(p.Snapshots), Backups: scheduleOut(p.Backups), Drills: scheduleOut(p.Drills),
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, Revision: p.Revision,
	}
}

func scheduleOut(s *fleet.Schedule) *Schedule {
	if s == nil {
		return nil
	}
	k := s.Keep
	return &Schedule{Cron: s.Cron, Keep: Keep{
		Last: k.Last, Hourly: k.Hourly, Daily: k.Daily, Weekly: k.Weekly, Monthly: k.Monthly, Yearly: k.Yearly, MinAge: ageOut(k.MinAge),
	}}
}

func keepIn(field string, k Keep) (fleet.Keep, error) {
	age, err := parseAge(field+".keep.min_age", k.MinAge)
	return fleet.Keep{
		Last: k.Last, Hourly: k.Hourly, Daily: k.Daily, Weekly: k.Weekly, Monthly: k.Monthly, Yearly: k.Yearly, MinAge: age,
	}, err
}

const day = 24 * time.Hour

// parseAge reads a duration that may also be a number of days, such as 7d; 0 where none is given.
func parseAge(field, s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 100_000 {
			return time.Duration(n) * day, nil
		}
	}
	d, err := parseTimeout(field, s)
	if err != nil {
		return 0, fleet.Errorf(fleet.Invalid, "%q is not an age", s).WithField(field).WithHint("write a number and a unit, such as 12h or 7d")
	}
	return d, nil
}

func ageOut(d time.Duration) string {
	if d == 0 {
		return ""
	}
	if d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
