package gauges

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Window is how far back it remembers.
const Window = 2 * time.Hour

// Deps are where it reads. Errors of them leave a gap.
type Deps struct {
	// Present gives the members of tenants' instances that run, by name.
	Present func() map[string]string
	Use     func(ctx context.Context, instance string) (fleet.InstanceUse, error)
	Members func(ctx context.Context) ([]Member, error)
	// Traffic gives what the proxy did; nil: there is none.
	Traffic func() fleet.Traffic
	Log     *slog.Logger
}

// Member is what a member has and uses now.
type Member struct {
	Name                    string
	Tenants                 int
	PoolTotal, PoolUsed     fleet.Size
	MemoryTotal, MemoryUsed fleet.Size
	CPUs                    int
	Load                    *float64 // nil where LXD does not tell
}

// Pace says how often it asks. Zero fields are good for production.
type Pace struct {
	Tick    time.Duration // between two questions to one member. Default 500 ms
	Every   time.Duration // between two of one instance. Default 30 s
	Watched time.Duration // likewise where somebody looks. Default 5 s
	Members time.Duration // between two looks at members and traffic. Default 30 s
}

func (p Pace) withDefaults() Pace {
	p.Tick = cmp.Or(p.Tick, 500*time.Millisecond)
	p.Every = cmp.Or(p.Every, 30*time.Second)
	p.Watched = cmp.Or(p.Watched, 5*time.Second)
	p.Members = cmp.Or(p.Members, 30*time.Second)
	return p
}

// Service remembers. Run has it look; the rest may be called at any time.
type Service struct {
	deps Deps
	pace Pace
	log  *slog.Logger

	mu      sync.Mutex
	tenants map[string]*gauge
	asking  map[string]bool // members that are asked just now
	members map[string][]MemberPoint
	looks   []look // at the traffic, the oldest first
	before  *fleet.Traffic
}

// NewService makes one that knows nothing yet.
func NewService(deps Deps, pace Pace) *Service {
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		deps: deps, pace: pace.withDefaults(), log: deps.Log,
		tenants: map[string]*gauge{}, asking: map[string]bool{}, members: map[string][]MemberPoint{},
	}
}

// Run looks until ctx ends; it returns when every question has ended.
func (s *Service) Run(ctx context.Context) {
	var asked sync.WaitGroup
	defer asked.Wait()
	tick, members := time.NewTicker(s.pace.Tick), time.NewTicker(s.pace.Members)
	defer tick.Stop()
	defer members.Stop()
	asked.Go(func() { s.survey(ctx) })
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, q := range s.due(time.Now()) {
				asked.Go(func() { s.ask(ctx, q) })
			}
		case <-members.C:
			s.survey(ctx)
		}
	}
}

// survey looks at the members and the traffic, and forgets what is too old.
func (s *Service) survey(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.pace.Members)
	defer cancel()
	if s.deps.Traffic != nil {
		s.sawTraffic(s.deps.Traffic())
	}
	members, err := s.deps.Members(ctx)
	if err != nil {
		s.log.Debug("members are not known just now", "error", err)
	}
	s.sawMembers(time.Now(), members)
	s.forget(time.Now().Add(-Window))
}

// forget drops what was before a time, and whoever has nothing left.
func (s *Service) forget(before time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, g := range s.tenants {
		g.uses = since(g.uses, before, func(u use) time.Time { return u.at })
		g.traffic = since(g.traffic, before, func(t flow) time.Time { return t.at })
		if len(g.uses) == 0 && len(g.traffic) == 0 && g.watchedUntil.Before(before) && g.asked.Before(before) {
			delete(s.tenants, name)
		}
	}
	for name, points := range s.members {
		if s.members[name] = since(points, before, func(p MemberPoint) time.Time { return p.At }); len(s.members[name]) == 0 {
			delete(s.members, name)
		}
	}
	s.looks = since(s.looks, before, func(l look) time.Time { return l.at })
}

// since drops what is before a time from the head of a list in order of time.
func since[T any](all []T, before time.Time, at func(T) time.Time) []T {
	n := 0
	for n < len(all) && at(all[n]).Before(before) {
		n++
	}
	if n == 0 {
		return all
	}
	return slices.Delete(all, 0, n) // in place: the array does not grow for ever
}
