package gauges

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// watchedFor is how long after a look at a tenant it is asked of more often.
const watchedFor = time.Minute

// askTime bounds one question to LXD.
const askTime = 10 * time.Second

// gauge is what is remembered of one tenant.
type gauge struct {
	asked        time.Time // last
	watchedUntil time.Time
	uses         []use // the oldest first
	traffic      []flow
}

// use is what LXD said at a time.
type use struct {
	at time.Time
	fleet.InstanceUse
}

// Point is what a tenant used at a time.
type Point struct {
	At     time.Time
	CPU    *float64 // processors, on average since the point before; nil where there is none
	Memory fleet.Size
	// Disk is of the pool, as LXD tells: 0 where it does not.
	Disk      fleet.Size
	Processes int
}

// Tenant gives what is known of a tenant after a time, the oldest first, and has it looked at more
// often for a while.
func (s *Service) Tenant(name fleet.Name, after time.Time) ([]Point, []Traffic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.gauge(name.String())
	g.watchedUntil = time.Now().Add(watchedFor)
	return g.points(after), s.trafficOf(g, after)
}

// gauge gives that of a tenant, which it makes where there is none. s is locked.
func (s *Service) gauge(name string) *gauge {
	g := s.tenants[name]
	if g == nil {
		g = &gauge{}
		s.tenants[name] = g
	}
	return g
}

func (g *gauge) points(after time.Time) []Point {
	points := []Point{}
	for i, u := range g.uses {
		if !u.at.After(after) {
			continue
		}
		p := Point{At: u.at, Memory: u.Memory, Disk: u.Disk, Processes: u.Processes}
		if i > 0 {
			p.CPU = processors(g.uses[i-1], u)
		}
		points = append(points, p)
	}
	return points
}

// processors gives how many were used from before to now; nil where it began to count anew.
func processors(before, now use) *float64 {
	took := now.at.Sub(before.at)
	if now.CPU < before.CPU || took <= 0 {
		return nil
	}
	n := float64(now.CPU-before.CPU) / float64(took)
	return &n
}

// question is one to a member.
type question struct{ member, name string }

// due gives the instances to ask of now: of each member that is not asked yet, the one that has
// waited the longest past its time.
func (s *Service) due(now time.Time) []question {
	present := s.deps.Present()
	s.mu.Lock()
	defer s.mu.Unlock()
	type candidate struct {
		name string
		late time.Duration
	}
	first := map[string]candidate{}
	for name, member := range present {
		if s.asking[member] {
			continue
		}
		late := s.late(name, now)
		if c, ok := first[member]; late >= 0 && (!ok || late > c.late || late == c.late && name < c.name) {
			first[member] = candidate{name, late}
		}
	}
	questions := make([]question, 0, len(first))
	for member, c := range first {
		s.asking[member] = true
		s.gauge(c.name).asked = now
		questions = append(questions, question{member, c.name})
	}
	return questions
}

// late tells for how long an instance should have been asked of; negative: it is not time yet.
// One that is watched is before all that are not.
func (s *Service) late(name string, now time.Time) time.Duration {
	g := s.tenants[name]
	switch {
	case g == nil:
		return Window
	case g.watchedUntil.After(now):
		if late := now.Sub(g.asked) - s.pace.Watched; late < 0 {
			return late
		}
		return 24 * time.Hour
	case g.asked.IsZero():
		return Window
	}
	return now.Sub(g.asked) - s.pace.Every
}

func (s *Service) ask(ctx context.Context, q question) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	got, err := s.deps.Use(ctx, q.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.asking, q.member)
	if err != nil {
		s.log.Debug("what a tenant uses is not known just now", "tenant", q.name, "error", err)
		return
	}
	if g := s.tenants[q.name]; g != nil {
		g.uses = append(g.uses, use{time.Now(), got})
	}
}
