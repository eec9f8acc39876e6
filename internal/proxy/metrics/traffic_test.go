package metrics

import (
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func nameOf(i int) fleet.Name { return fleet.Name(fmt.Sprintf("tenant-%05d", i)) }

func TestRecord(t *testing.T) {
	tr := New(time.Now())
	tr.Follow(map[fleet.Name]bool{"acme": true})
	acme := tr.Tenant("acme")
	acme.Record(Request{Code: 200, Took: time.Millisecond, FirstByte: time.Microsecond, In: 3, Out: 5})
	acme.Record(Request{Code: 200, Took: time.Millisecond + 1, FirstByte: time.Microsecond, Retries: 2})
	acme.Record(Request{Code: 503, Took: time.Hour, WasHeld: true, Held: time.Minute})
	acme.Record(Request{Code: 101, Took: time.Hour, Upgraded: true})
	acme.Bytes(10, 20)
	tr.Tenant("nobody").Record(Request{Code: 404})
	want := []fleet.TenantTraffic{
		{Codes: []fleet.CodeCount{{Class: 4, Code: 404, Requests: 1}}, Buckets: []uint64{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{
			Tenant:  "acme",
			Codes:   []fleet.CodeCount{{Class: 1, Code: 101, Requests: 1}, {Class: 2, Code: 200, Requests: 2}, {Class: 5, Code: 503, Requests: 1}},
			Buckets: []uint64{1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, Took: time.Hour + 2*time.Millisecond + 1,
			Answered: 2, FirstByte: 2 * time.Microsecond, BytesIn: 13, BytesOut: 25, Held: 1, HeldFor: time.Minute, Retries: 2,
		},
	}
	if diff := cmp.Diff(want, tr.Tenants()); diff != "" {
		t.Error(diff)
	}
}

func TestCodesAreBounded(t *testing.T) {
	var tn Tenant
	for status := range 1000 {
		tn.Record(Request{Code: status})
		tn.Record(Request{Code: status})
	}
	all := tn.counts()
	if n := all.Requests(); n != 2000 {
		t.Errorf("%d requests", n)
	}
	if len(all.Codes) > 75 {
		t.Errorf("%d different codes", len(all.Codes))
	}
	for _, want := range []fleet.CodeCount{
		{Class: 2, Code: 200, Requests: 2}, {Class: 4, Code: 499, Requests: 2}, {Class: 5, Code: 511, Requests: 2},
	} {
		if !slices.Contains(all.Codes, want) {
			t.Errorf("%+v is missing", want)
		}
	}
	other := slices.IndexFunc(all.Codes, func(c fleet.CodeCount) bool { return c.Class == 0 && c.Code == 0 })
	if other < 0 || all.Codes[other].Requests != 2*(100+400) {
		t.Errorf("codes of no class: %+v", all.Codes)
	}
}

func TestFollowDropsWhoLeft(t *testing.T) {
	tr := New(time.Now())
	tr.Follow(map[fleet.Name]bool{"acme": true, "globex": true})
	gone := tr.Tenant("globex")
	tr.Tenant("acme").Record(usual)
	tr.Follow(map[fleet.Name]bool{"acme": true, "initech": true})
	gone.Record(usual) // a request that was under way
	var got []string
	for _, c := range tr.Tenants() {
		got = append(got, fmt.Sprint(c.Tenant, c.Requests()))
	}
	if want := []string{"0", "acme1", "initech0"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	tr.Follow(map[fleet.Name]bool{"globex": true})
	if n := tr.Tenants()[1]; n.Tenant != "globex" || n.Requests() != 0 {
		t.Errorf("a tenant that came back has its old counts: %+v", n)
	}
}

// Nothing is lost whoever counts, and what is read meanwhile agrees with itself.
func TestRecordFromEverywhere(t *testing.T) {
	tr := New(time.Now())
	tr.Follow(map[fleet.Name]bool{"acme": true})
	const workers, each = 16, 2000
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range each {
				tr.Tenant("acme").Record(usual)
				if i%100 == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		c := tr.Tenants()[1]
		var n uint64
		for _, b := range c.Buckets {
			n += b
		}
		if n != c.Requests() || c.BytesOut != n*uint64(usual.Out) || c.Took != time.Duration(n)*usual.Took {
			t.Fatalf("%d in buckets, %d requests, %d bytes, %v", n, c.Requests(), c.BytesOut, c.Took)
		}
	}
	if n := tr.Tenants()[1].Requests(); n != workers*each {
		t.Errorf("%d requests, want %d", n, workers*each)
	}
}

// Who meets somebody at a shard goes to another one, and the number of those is bounded.
func TestShards(t *testing.T) {
	var tn Tenant
	var taken []*shard
	most := min(mostShards, runtime.GOMAXPROCS(0))
	for range most {
		taken = append(taken, tn.lock())
	}
	for i, s := range taken {
		if slices.Contains(taken[:i], s) {
			t.Fatal("two have one shard")
		}
	}
	waits := make(chan *shard)
	go func() { waits <- tn.lock() }()
	for _, s := range taken {
		s.mu.Unlock()
	}
	s := <-waits
	s.mu.Unlock()
	if !slices.Contains(taken, s) {
		t.Error("there are more shards than processors")
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	tr := New(time.Now(), "shape")
	tr.Follow(names(10))
	tr.Tenant("tenant-00001").Record(usual) // the first of a code makes its place
	if n := testing.AllocsPerRun(100, func() {
		tr.Tenant("tenant-00001").Record(usual)
		tr.Refused("shape")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestConnState(t *testing.T) {
	tr := New(time.Now())
	plain, other := net.Pipe()
	defer plain.Close()
	defer other.Close()
	for _, c := range []net.Conn{plain, plain, other} {
		tr.ConnState(c, http.StateNew)
		tr.ConnState(c, http.StateActive)
	}
	if n := tr.connections.Load(); n != 3 {
		t.Errorf("%d are open", n)
	}
	tr.ConnState(plain, http.StateHijacked)
	tr.ConnState(plain, http.StateClosed)
	tr.ConnState(other, http.StateClosed)
	if n := tr.connections.Load(); n != 0 {
		t.Errorf("%d are open", n)
	}
}
