package gauges

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// lxd counts who asks it. Its instances use half a processor.
type lxd struct {
	mu      sync.Mutex
	present map[string]string
	asked   map[string]int
	now     map[string]int // questions to a member at the moment
	most    int
	broken  map[string]bool
	traffic fleet.Traffic
	began   time.Time
}

func (l *lxd) deps() Deps {
	return Deps{
		Present: func() map[string]string { l.mu.Lock(); defer l.mu.Unlock(); return l.present },
		Use:     l.use,
		Members: func(context.Context) ([]Member, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			return []Member{{Name: "n1", Tenants: len(l.present), CPUs: 4}, {Name: "n2"}}, nil
		},
		Traffic: func() fleet.Traffic {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.traffic.At = time.Now()
			return l.traffic
		},
	}
}

func (l *lxd) use(_ context.Context, name string) (fleet.InstanceUse, error) {
	l.mu.Lock()
	member := l.present[name]
	l.asked[name]++
	l.now[member]++
	l.most = max(l.most, l.now[member])
	broken := l.broken[name]
	l.mu.Unlock()
	time.Sleep(10 * time.Millisecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now[member]--
	if broken {
		return fleet.InstanceUse{}, errors.New("it is away")
	}
	return fleet.InstanceUse{CPU: time.Since(l.began) / 2, Memory: fleet.MiB, Disk: fleet.GiB, Processes: 3}, nil
}

// counts gives how often LXD was asked of each, and how often a member was at once at most.
func (l *lxd) counts() (map[string]int, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.asked), l.most
}

// run has a Service look at tenants t0, t1 … of two members for a while.
func run(t *testing.T, tenants int, f func(s *Service, l *lxd)) {
	synctest.Test(t, func(t *testing.T) {
		l := &lxd{present: map[string]string{}, asked: map[string]int{}, now: map[string]int{}, broken: map[string]bool{}, began: time.Now()}
		l.traffic.Since = l.began
		for i := range tenants {
			l.present[fmt.Sprintf("t%d", i)] = fmt.Sprintf("n%d", i%2+1)
		}
		s := NewService(l.deps(), Pace{})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.Run(ctx) })
		f(s, l)
		cancel()
		running.Wait()
	})
}

func TestEachIsAskedOfEveryHalfMinute(t *testing.T) {
	run(t, 10, func(s *Service, l *lxd) {
		time.Sleep(10*time.Minute + time.Second)
		asked, _ := l.counts()
		for name, n := range asked {
			if n < 19 || n > 21 {
				t.Errorf("%s was asked of %d times", name, n)
			}
		}
		points, _ := s.Tenant("t3", time.Time{})
		if len(points) < 19 || points[0].CPU != nil || points[1].CPU == nil || math.Abs(*points[1].CPU-0.5) > 0.01 || points[1].Memory != fleet.MiB {
			t.Errorf("points are %+v", points)
		}
		later, _ := s.Tenant("t3", points[4].At)
		if len(later) != len(points)-5 {
			t.Errorf("%d of %d points are after the fifth", len(later), len(points))
		}
	})
}

func TestLXDIsNotFlooded(t *testing.T) {
	run(t, 1000, func(_ *Service, l *lxd) {
		time.Sleep(time.Minute)
		all := 0
		asked, most := l.counts()
		for _, n := range asked {
			all += n
		}
		if all > 241 || all < 230 || most != 1 {
			t.Errorf("in a minute two members were asked %d times, %d at once", all, most)
		}
		time.Sleep(4 * time.Minute)
		if asked, _ := l.counts(); len(asked) != 1000 {
			t.Errorf("only %d of 1000 were ever asked of", len(asked))
		}
	})
}

func TestWhoIsLookedAtComesFirst(t *testing.T) {
	run(t, 1000, func(s *Service, l *lxd) {
		time.Sleep(time.Second)
		for range 30 { // somebody has its page open
			s.Tenant("t700", time.Time{})
			time.Sleep(10 * time.Second)
		}
		before, _ := l.counts()
		if n := before["t700"]; n < 55 || n > 62 {
			t.Errorf("in five minutes it was asked of %d times", n)
		}
		time.Sleep(2 * time.Minute)
		before, _ = l.counts()
		time.Sleep(5 * time.Minute)
		after, _ := l.counts()
		if n := after["t700"] - before["t700"]; n > 3 {
			t.Errorf("nobody looks, and it was asked of %d times", n)
		}
	})
}

func TestWhatIsOldIsForgotten(t *testing.T) {
	run(t, 4, func(s *Service, l *lxd) {
		l.mu.Lock()
		l.broken["t1"] = true
		l.mu.Unlock()
		time.Sleep(5 * time.Hour)
		points, spans := s.Tenant("t0", time.Time{})
		if len(points) < 230 || len(points) > 242 || time.Since(points[0].At) > Window+time.Minute {
			t.Errorf("%d points, the oldest %s ago", len(points), time.Since(points[0].At))
		}
		if len(spans) < 238 || len(spans) > 241 {
			t.Errorf("%d spans", len(spans))
		}
		if points, _ := s.Tenant("t1", time.Time{}); len(points) != 0 {
			t.Errorf("of one that is away %d points are known", len(points))
		}
		if m := s.Member("n1", time.Time{}); len(m) < 238 || len(m) > 241 || m[3].TenantMemory != 2*fleet.MiB || math.Abs(m[3].TenantCPU-1) > 0.05 {
			t.Errorf("of the member %d points: %+v", len(m), m[min(3, len(m)-1)])
		}
		l.mu.Lock()
		l.present = map[string]string{}
		l.mu.Unlock()
		time.Sleep(Window + time.Hour)
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.tenants) != 0 {
			t.Errorf("%d tenants that are gone are remembered", len(s.tenants))
		}
	})
}

func TestTraffic(t *testing.T) {
	run(t, 1, func(s *Service, l *lxd) {
		since := l.began
		l.mu.Lock()
		l.traffic.Bounds = []time.Duration{10 * time.Millisecond, 100 * time.Millisecond}
		l.mu.Unlock()
		answer := func(ok, bad, quick, slow uint64, took time.Duration) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.traffic.Tenants = []fleet.TenantTraffic{{}, {
				Tenant: "t0", Codes: []fleet.CodeCount{{Class: 2, Code: 200, Requests: ok}, {Class: 5, Code: 502, Requests: bad}},
				Buckets: []uint64{quick, slow, 0}, Took: took,
			}}
		}
		at := func(d time.Duration) { time.Sleep(time.Until(since.Add(d))) }
		at(time.Second)
		answer(10, 0, 10, 0, time.Second)
		at(31 * time.Second)
		answer(30, 10, 30, 10, 3*time.Second)
		at(91 * time.Second)                 // one look finds nothing new
		answer(1, 0, 1, 0, time.Millisecond) // it was away, and began anew
		at(121 * time.Second)
		_, spans := s.Tenant("t0", time.Time{})
		text := []string{}
		for _, p := range spans {
			one := fmt.Sprintf("%.0f s %d/%d", p.Span.Seconds(), p.Requests, p.Errors)
			if p.Mean != nil {
				one += fmt.Sprintf(" %.3f %.3f", *p.Mean, *p.P95)
			}
			text = append(text, one)
		}
		want := []string{"30 s 10/0 0.100 0.009", "30 s 30/10 0.067 0.086", "30 s 0/0", "30 s 1/0 0.001 0.009"}
		if !slices.Equal(text, want) {
			t.Errorf("spans are %q, want %q", text, want)
		}
	})
}
