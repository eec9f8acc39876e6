package gauges

import (
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// look is one at the traffic, and what it covers.
type look struct {
	at   time.Time
	span time.Duration
}

// flow is what the proxy answered for a tenant up to a look. There is none for a look in which
// nothing was.
type flow struct {
	at                      time.Time
	requests, errors, timed uint32
	took                    time.Duration // of the timed ones, added up
	p95                     float32       // seconds
}

// Traffic is what the proxy answered for a tenant in a span that ended At.
type Traffic struct {
	At       time.Time
	Span     time.Duration
	Requests int64
	Errors   int64 // of them, those answered with 5xx
	// Mean and P95 are how long answers took, in seconds; nil where none ended.
	Mean, P95 *float64
}

// sawTraffic takes in what the proxy did until now.
func (s *Service) sawTraffic(now fleet.Traffic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.before
	s.before = &now
	if before == nil || !before.Since.Equal(now.Since) || !now.At.After(before.At) {
		return
	}
	s.looks = append(s.looks, look{now.At, now.At.Sub(before.At)})
	old := make(map[fleet.Name]fleet.TenantTraffic, len(before.Tenants))
	for _, t := range before.Tenants {
		old[t.Tenant] = t
	}
	for _, t := range now.Tenants {
		if t.Tenant == "" || len(t.Buckets) <= len(now.Bounds) {
			continue
		}
		f := flowBetween(old[t.Tenant], t, now.Bounds)
		if f.requests == 0 {
			continue
		}
		f.at = now.At
		g := s.gauge(t.Tenant.String())
		g.traffic = append(g.traffic, f)
	}
}

// flowBetween gives what happened between two looks. A tenant whose counts began anew began at
// nothing.
func flowBetween(before, now fleet.TenantTraffic, bounds []time.Duration) flow {
	if now.Requests() < before.Requests() || now.Took < before.Took || len(before.Buckets) != len(now.Buckets) {
		before = fleet.TenantTraffic{Buckets: make([]uint64, len(now.Buckets))}
	}
	took := make([]uint64, len(now.Buckets))
	timed := uint64(0)
	for i := range took {
		took[i] = now.Buckets[i] - min(before.Buckets[i], now.Buckets[i])
		timed += took[i]
	}
	return flow{
		requests: uint32(now.Requests() - before.Requests()), errors: uint32(failed(now) - min(failed(before), failed(now))),
		timed: uint32(timed), took: now.Took - before.Took, p95: float32(quantile(took, bounds, 0.95).Seconds()),
	}
}

func failed(t fleet.TenantTraffic) (n uint64) {
	for _, c := range t.Codes {
		if c.Class == 5 {
			n += c.Requests
		}
	}
	return n
}

// quantile gives the duration that the part q of what is in the buckets does not exceed, as if each
// bucket were filled evenly; the last bound for what is above it.
func quantile(buckets []uint64, bounds []time.Duration, q float64) time.Duration {
	all := uint64(0)
	for _, n := range buckets {
		all += n
	}
	left, low := q*float64(all), time.Duration(0)
	for i, high := range bounds {
		n := float64(buckets[i])
		if n > 0 && left <= n {
			return low + time.Duration(float64(high-low)*left/n)
		}
		left -= n
		low = high
	}
	return low
}

// trafficOf gives a tenant's traffic after a time, with the quiet spans. s is locked.
func (s *Service) trafficOf(g *gauge, after time.Time) []Traffic {
	all, next := []Traffic{}, 0
	for _, l := range s.looks {
		for next < len(g.traffic) && g.traffic[next].at.Before(l.at) {
			next++
		}
		if !l.at.After(after) {
			continue
		}
		t := Traffic{At: l.at, Span: l.span}
		if next < len(g.traffic) && g.traffic[next].at.Equal(l.at) {
			f := g.traffic[next]
			t.Requests, t.Errors = int64(f.requests), int64(f.errors)
			if f.timed > 0 {
				mean, p95 := f.took.Seconds()/float64(f.timed), float64(f.p95)
				t.Mean, t.P95 = &mean, &p95
			}
		}
		all = append(all, t)
	}
	return all
}
