package tenants

import (
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

// What the requests of a moved tenant are expected to wait: the parts of a cut-over hardly depend
// on its size.
const (
	holdFloor  = 3500 * time.Millisecond
	holdPerGiB = 100 * time.Millisecond
)

// expectedHold is how long a tenant's requests are expected to wait while it is moved. One that
// is stopped has none.
func expectedHold(t fleet.Tenant, bytes fleet.Size) time.Duration {
	if t.Desired != fleet.DesiredRunning {
		return 0
	}
	return holdFloor + time.Duration(float64(bytes)/float64(fleet.GiB)*float64(holdPerGiB))
}

// DrainPlan plans to empty a member. It moves nothing. fleet.NotFound where there is no such
// member.
func (s *Service) DrainPlan(ctx context.Context, member string) (placement.Plan, error) {
	return s.planned(ctx, 0, func(view placement.View) (placement.Plan, error) { return placement.Drain(view, member) })
}

// RebalancePlan plans to bring the fleet under its targets and to where its tenants wish to be,
// or, where consolidate is set, to empty as many members as can be. It moves nothing.
func (s *Service) RebalancePlan(ctx context.Context, consolidate bool) (placement.Plan, error) {
	return s.planned(ctx, s.opt.Rest, func(view placement.View) (placement.Plan, error) {
		if consolidate {
			return placement.Consolidate(view, *s.opt.Targets), nil
		}
		return placement.Rebalance(view, *s.opt.Targets), nil
	})
}

// planned makes a plan with what is known of the tenants' sizes, measures those it would move,
// and makes it again with that.
func (s *Service) planned(ctx context.Context, rest time.Duration, plan func(placement.View) (placement.Plan, error)) (placement.Plan, error) {
	if err := s.Observer.survey.read(ctx); err != nil {
		return placement.Plan{}, err
	}
	if _, err := s.Observer.roster.read(ctx); err != nil {
		return placement.Plan{}, err
	}
	view, err := s.outlook(ctx)
	if err != nil {
		return placement.Plan{}, err
	}
	if err := s.ready(ctx, &view, rest); err != nil {
		return placement.Plan{}, err
	}
	first, err := plan(view)
	if err != nil {
		return placement.Plan{}, err
	}
	var names []string
	for _, m := range first.Moves {
		names = append(names, m.Tenant)
	}
	if !s.gauge.measure(ctx, s.LXD, names) {
		return first, nil
	}
	s.weigh(view)
	return plan(view)
}

// ready notes which tenants must stay for now and what the others weigh.
func (s *Service) ready(ctx context.Context, view *placement.View, rest time.Duration) error {
	working, err := unfinished(ctx, s.Jobs)
	if err != nil {
		return err
	}
	rolls, now := s.Observer.roster.last(), s.opt.Now()
	for i := range view.Tenants {
		t := &view.Tenants[i]
		tenant, known := rolls.name(fleet.Name(t.Name))
		job, busy := working[fleet.Name(t.Name)]
		since := now.Sub(tenant.MovedAt)
		switch {
		case t.Stay != "":
		case busy:
			t.Stay = fmt.Sprintf("is busy with job %s (%s)", job.ID, job.Kind)
		case known && rest > 0 && !tenant.MovedAt.IsZero() && since < rest:
			t.Stay = fmt.Sprintf("was moved %s ago", since.Round(time.Minute))
		}
	}
	s.weigh(*view)
	return nil
}

// weigh notes what tenants use: as measured, or else an equal part of what is used on their
// member. Memory is noted only as measured.
func (s *Service) weigh(view placement.View) {
	rolls := s.Observer.roster.last()
	share := map[string]fleet.Size{}
	for _, at := range placement.Standings(view) {
		share[at.Member.Name] = at.Member.PoolUsed / fleet.Size(max(1, at.Tenants))
	}
	for i := range view.Tenants {
		t := &view.Tenants[i]
		t.Bytes, t.Memory = share[t.Member], 0
		if t.Needs.Disk > 0 {
			t.Bytes = min(t.Bytes, t.Needs.Disk)
		}
		if use, ok := s.gauge.known(t.Name); ok && use.Disk > 0 {
			t.Bytes, t.Memory = use.Disk, use.Memory
		}
		tenant, _ := rolls.name(fleet.Name(t.Name))
		t.Hold = expectedHold(tenant, t.Bytes)
	}
}

// Destination chooses the member a tenant is to move to and keeps a place there for it, for ten
// minutes or until GiveUpPlace; it may be asked again to keep the place longer. member is the only
// one in question; empty: any but where it is. Errors are placement.Choose's.
func (s *Service) Destination(ctx context.Context, t fleet.Tenant, member string) (placement.Choice, error) {
	s.placing.Lock()
	defer s.placing.Unlock()
	s.Observer.survey.release(t.Name.String()) // its own place is not in its way
	if err := s.Observer.survey.read(ctx); err != nil {
		return placement.Choice{}, err
	}
	view, err := s.outlook(ctx)
	if err != nil {
		return placement.Choice{}, err
	}
	w := s.wishOf(t)
	w.Member = member
	w.Leave = t.Member
	if o := s.Observer.Observation(t); o.Location != "" {
		w.Leave = o.Location
	}
	instance := s.instanceName(t)
	s.gauge.measure(ctx, s.LXD, []string{instance})
	use, _ := s.gauge.known(instance)
	w.Pool, w.Memory = use.Disk, use.Memory
	choice, err := placement.Choose(view, w)
	if err != nil {
		return choice, err
	}
	s.Observer.survey.promise(placement.Tenant{
		Name: w.Tenant, Member: choice.Member, Labels: w.Labels, Needs: w.Needs, Wishes: w.Wishes, Stay: "is being moved",
	}, true)
	return choice, nil
}

// GiveUpPlace ends what Destination keeps for the tenant: it is there, or will not come.
func (s *Service) GiveUpPlace(name fleet.Name) { s.Observer.survey.release(name.String()) }
