package cli

import (
	"cmp"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// load is what happened between two looks at the traffic.
type load struct {
	At       time.Time    `json:"at" yaml:"at"`
	Seconds  float64      `json:"seconds" yaml:"seconds"` // of the interval
	Hosts    int          `json:"hosts" yaml:"hosts"`
	Requests float64      `json:"requests" yaml:"requests"` // a second, as all rates
	Errors   float64      `json:"errors" yaml:"errors"`
	Tenants  []tenantLoad `json:"tenants" yaml:"tenants"` // busiest first
	longest  float64      // the last bound of the buckets in seconds
}

// tenantLoad is one tenant's part of it. Numbers of things that happen are per second.
type tenantLoad struct {
	Tenant   string   `json:"tenant" yaml:"tenant"` // empty: hosts that lead nowhere
	State    string   `json:"state" yaml:"state"`
	Reasons  []string `json:"reasons,omitempty" yaml:"reasons,omitempty"`
	Requests float64  `json:"requests" yaml:"requests"`
	Errors   float64  `json:"errors" yaml:"errors"` // status 500 and up
	// P50 and P99 are in seconds, at most the last bound; nil where no request ended.
	P50      *float64 `json:"p50" yaml:"p50"`
	P99      *float64 `json:"p99" yaml:"p99"`
	InFlight int      `json:"in_flight" yaml:"in_flight"`
	Held     int      `json:"held" yaml:"held"`
	BytesIn  float64  `json:"bytes_in" yaml:"bytes_in"`
	BytesOut float64  `json:"bytes_out" yaml:"bytes_out"`
}

// loadBetween gives what happened from before to now. A daemon, or a tenant, that began to count
// meanwhile began at nothing.
func loadBetween(before, now client.Traffic) load {
	from, old := before.At, make(map[string]client.TenantTraffic)
	if now.Since.Equal(before.Since) {
		for _, t := range before.Items {
			old[t.Tenant] = t
		}
	} else {
		from = now.Since
	}
	l := load{At: now.At, Seconds: now.At.Sub(from).Seconds(), Hosts: now.Hosts, Tenants: []tenantLoad{}}
	if n := len(now.Bounds); n > 0 {
		l.longest = now.Bounds[n-1]
	}
	for _, t := range now.Items {
		one := tenantBetween(old[t.Tenant], t, l.Seconds, now.Bounds)
		l.Requests += one.Requests
		l.Errors += one.Errors
		if one.Tenant != "" || one.Requests > 0 {
			l.Tenants = append(l.Tenants, one)
		}
	}
	slices.SortFunc(l.Tenants, func(a, b tenantLoad) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Tenant, b.Tenant))
	})
	return l
}

func tenantBetween(before, now client.TenantTraffic, seconds float64, bounds []float64) tenantLoad {
	if now.Requests < before.Requests || now.BytesOut < before.BytesOut || len(now.Buckets) != len(before.Buckets) {
		before = client.TenantTraffic{Buckets: make([]int64, len(now.Buckets))}
	}
	perSecond := func(before, now int64) float64 {
		if seconds <= 0 {
			return 0
		}
		return max(0, float64(now-before)) / seconds
	}
	took := make([]int64, len(now.Buckets))
	for i := range took {
		took[i] = max(0, now.Buckets[i]-before.Buckets[i])
	}
	return tenantLoad{
		Tenant: now.Tenant, State: now.State, Reasons: now.Reasons,
		Requests: perSecond(before.Requests, now.Requests), Errors: perSecond(failures(before), failures(now)),
		P50: quantile(took, bounds, 0.50), P99: quantile(took, bounds, 0.99),
		InFlight: now.InFlight, Held: now.Held,
		BytesIn: perSecond(before.BytesIn, now.BytesIn), BytesOut: perSecond(before.BytesOut, now.BytesOut),
	}
}

// failures counts the answers of class 5.
func failures(t client.TenantTraffic) (n int64) {
	for _, c := range t.Codes {
		if c.Class == 5 {
			n += c.Requests
		}
	}
	return n
}

// quantile gives the value that the part q of what is in the buckets does not exceed, as if each
// bucket were filled evenly. It is the last bound for what is above it, and nil for nothing.
func quantile(buckets []int64, bounds []float64, q float64) *float64 {
	var all int64
	for _, n := range buckets {
		all += n
	}
	if all == 0 || len(bounds) == 0 {
		return nil
	}
	left := q * float64(all)
	low := 0.0
	for i, high := range bounds {
		n := 0.0
		if i < len(buckets) {
			n = float64(buckets[i])
		}
		if n > 0 && left <= n {
			value := low + (high-low)*left/n
			return &value
		}
		left -= n
		low = high
	}
	return &low
}
