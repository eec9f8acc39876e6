package metrics

import (
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

var usual = Request{Code: 200, Took: 12 * time.Millisecond, FirstByte: 11 * time.Millisecond, Out: 20 << 10}

// BenchmarkRecord is what counting a request costs, with its tenant's look-up, among 10,000
// tenants.
func BenchmarkRecord(b *testing.B) {
	t := New(time.Now())
	t.Follow(names(10_000))
	b.ReportAllocs()
	for b.Loop() {
		t.Tenant("tenant-00042").Record(usual)
	}
}

// BenchmarkRecordParallel has all processors at one tenant, which is as bad as it gets.
func BenchmarkRecordParallel(b *testing.B) {
	t := New(time.Now())
	t.Follow(names(10_000))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			t.Tenant("tenant-00042").Record(usual)
		}
	})
}

// BenchmarkTenants adds up the counts of 10,000 tenants, as a scrape does.
func BenchmarkTenants(b *testing.B) {
	t := New(time.Now())
	all := names(10_000)
	t.Follow(all)
	for name := range all {
		t.Tenant(name).Record(usual)
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(t.Tenants()) != len(all)+1 {
			b.Fatal("not all")
		}
	}
}

func names(n int) map[fleet.Name]bool {
	all := make(map[fleet.Name]bool, n)
	for i := range n {
		all[nameOf(i)] = true
	}
	return all
}
