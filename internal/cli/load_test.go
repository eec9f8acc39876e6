package cli

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func TestQuantile(t *testing.T) {
	bounds := []float64{0.001, 0.01, 0.1}
	for name, tc := range map[string]struct {
		buckets []int64
		q       float64
		want    string
	}{
		"nothing":              {[]int64{0, 0, 0, 0}, 0.5, "none"},
		"half a bucket":        {[]int64{10, 0, 0, 0}, 0.5, "0.0005"},
		"at a bound":           {[]int64{10, 10, 0, 0}, 0.5, "0.001"},
		"in the second bucket": {[]int64{10, 10, 0, 0}, 0.75, "0.0055"},
		"above every bound":    {[]int64{0, 0, 0, 5}, 0.5, "0.1"},
		"past empty buckets":   {[]int64{1, 0, 99, 0}, 0.99, "0.09909"},
	} {
		t.Run(name, func(t *testing.T) {
			got := "none"
			if v := quantile(tc.buckets, bounds, tc.q); v != nil {
				got = fmt.Sprintf("%.4g", *v)
			}
			if got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// A quantile is in the bucket that has the value, and a higher one is never less.
func TestQuantileIsInItsBucket(t *testing.T) {
	bounds := []float64{1, 2, 4, 8}
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0.001, 20), 1, 50).Draw(t, "values")
		buckets := make([]int64, len(bounds)+1)
		for _, v := range values {
			i := 0
			for i < len(bounds) && v > bounds[i] {
				i++
			}
			buckets[i]++
		}
		slices.Sort(values)
		last := 0.0
		for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
			v := quantile(buckets, bounds, q)
			if v == nil || *v < last || *v > bounds[len(bounds)-1] {
				t.Fatalf("q %v of %v is %v after %v", q, buckets, v, last)
			}
			// The value that is really there, and the bucket it is in.
			real := values[max(0, int(math.Ceil(q*float64(len(values))))-1)]
			i, _ := slices.BinarySearch(bounds, real)
			if low := append([]float64{0}, bounds...)[i]; *v < low || i < len(bounds) && *v > bounds[i] {
				t.Fatalf("q %v of %v is %v, not near %v", q, buckets, *v, real)
			}
			last = *v
		}
	})
}

func TestLoadBetween(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	bounds := []float64{0.01, 0.1}
	traffic := func(since, at time.Time, items ...client.TenantTraffic) client.Traffic {
		return client.Traffic{Since: since, At: at, Bounds: bounds, Items: items}
	}
	acme := func(requests, bad, out int64, buckets ...int64) client.TenantTraffic {
		return client.TenantTraffic{
			Tenant: "acme", Requests: requests, BytesOut: out, Buckets: buckets,
			Codes: []client.CodeCount{{Class: 2, Code: 200, Requests: requests - bad}, {Class: 5, Code: 502, Requests: bad}},
		}
	}
	long := at.Add(-time.Hour)
	for name, tc := range map[string]struct {
		before, now client.Traffic
		want        string
	}{
		"difference": {
			traffic(long, at, acme(100, 10, 1000, 100, 0, 0)), traffic(long, at.Add(2*time.Second), acme(120, 14, 3000, 100, 20, 0)),
			"10 2 1000",
		},
		"tenant is new": {traffic(long, at), traffic(long, at.Add(2*time.Second), acme(20, 0, 10, 20, 0, 0)), "10 0 5"},
		"tenant was away": {
			traffic(long, at, acme(100, 100, 1000, 100, 0, 0)), traffic(long, at.Add(2*time.Second), acme(8, 2, 20, 8, 0, 0)),
			"4 1 10",
		},
		"daemon was restarted": {
			traffic(long, at, acme(10, 1, 10, 10, 0, 0)), traffic(at.Add(time.Second), at.Add(2*time.Second), acme(50, 5, 100, 50, 0, 0)),
			"50 5 100",
		},
		"no time went by": {traffic(long, at), traffic(long, at, acme(20, 0, 10, 20, 0, 0)), "0 0 0"},
	} {
		t.Run(name, func(t *testing.T) {
			l := loadBetween(tc.before, tc.now)
			if len(l.Tenants) != 1 {
				t.Fatalf("%+v", l)
			}
			one := l.Tenants[0]
			if got := fmt.Sprintf("%g %g %g", one.Requests, one.Errors, one.BytesOut); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestScreen(t *testing.T) {
	page := "head\nwide wide\nthree\nfour\n"
	if got, want := screen(page, 5, 4, true), "\x1b[2J\x1b[Hhead\x1b[K\nwide \x1b[K\nthree\x1b[K\n\x1b[J"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := screen(page, 80, 24, false); !strings.HasPrefix(got, "\x1b[Hhead") || !strings.Contains(got, "four") {
		t.Errorf("%q", got)
	}
}
