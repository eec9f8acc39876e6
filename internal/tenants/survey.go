package tenants

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

// survey holds what requests need to know of the fleet besides tenants: members, plans, and
// the members promised to tenants whose instances are not there yet.
type survey struct {
	lxd Viewer

	mu       sync.Mutex
	members  []fleet.Member
	plans    []string
	needs    map[string]placement.Needs // by plan
	readAt   time.Time
	promises map[string]promise // by tenant name
}

// promise keeps a place on a member for a tenant that is about to come there.
type promise struct {
	tenant placement.Tenant // as it will be there
	move   bool             // it lives on another member until then
	until  time.Time
}

// promiseFor is how long a place is kept for a job that never makes its instance.
const promiseFor = 10 * time.Minute

func newSurvey(lxd Viewer) *survey { return &survey{lxd: lxd, promises: map[string]promise{}} }

// read asks LXD anew.
func (s *survey) read(ctx context.Context) error {
	members, err := s.lxd.Members(ctx)
	if err != nil {
		return fmt.Errorf("read members: %w", err)
	}
	profiles, err := s.lxd.Profiles(ctx)
	if err != nil {
		return fmt.Errorf("read profiles: %w", err)
	}
	var plans []string
	needs := map[string]placement.Needs{}
	for _, p := range profiles {
		if p.Name != "default" && !strings.HasPrefix(p.Name, fleet.ReservedPrefix) {
			plans = append(plans, p.Name)
			needs[p.Name] = placement.NeedsOf(p)
		}
	}
	slices.Sort(plans)
	s.mu.Lock()
	s.members, s.plans, s.needs, s.readAt = members, plans, needs, time.Now()
	s.mu.Unlock()
	return nil
}

// fresh reads when nothing was read for a minute (the loop is behind, or does not run).
func (s *survey) fresh(ctx context.Context) error {
	s.mu.Lock()
	stale := time.Since(s.readAt) > time.Minute
	s.mu.Unlock()
	if stale {
		return s.read(ctx)
	}
	return nil
}

// knownPlans lists the plans: LXD profiles of the project other than "default".
func (s *survey) knownPlans() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.plans)
}
