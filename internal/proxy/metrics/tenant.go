package metrics

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Request is how one request went.
type Request struct {
	Code int
	// Took is from the header of the request to the end of the answer; FirstByte to its
	// beginning, 0 where there was none.
	Took, FirstByte time.Duration
	// Upgraded says that the connection was taken over: Took says nothing of an answer then.
	Upgraded bool
	In, Out  int64 // bytes of bodies that Bytes was not called for
	Held     time.Duration
	WasHeld  bool
	Retries  int
}

// mostShards bounds the memory of a tenant. More processors than this meet now and then, which
// costs them a wait of some nanoseconds.
const mostShards = 8

// Tenant counts the requests of one tenant. Its methods may be called from any goroutine, also
// when the tenant is gone: the counts are then nobody's.
type Tenant struct {
	first  shard // most tenants never need another
	more   [mostShards - 1]atomic.Pointer[shard]
	shards atomic.Int32 // of more, made in order
}

// shard is a part of the counts.
type shard struct {
	mu        sync.Mutex
	codes     codes
	took      histogram
	answered  uint64
	firstByte time.Duration
	in, out   uint64
	held      uint64
	heldFor   time.Duration
	retries   uint64
}

// Record counts a request that is over.
func (t *Tenant) Record(r Request) {
	s := t.lock()
	s.codes.add(r.Code)
	if !r.Upgraded {
		s.took.add(r.Took)
	}
	if r.FirstByte > 0 {
		s.answered++
		s.firstByte += r.FirstByte
	}
	s.in += uint64(r.In)
	s.out += uint64(r.Out)
	if r.WasHeld {
		s.held++
		s.heldFor += r.Held
	}
	s.retries += uint64(r.Retries)
	s.mu.Unlock()
}

// Bytes counts a part of a body ahead of the request's end, which may be hours away.
func (t *Tenant) Bytes(in, out int64) {
	s := t.lock()
	s.in += uint64(in)
	s.out += uint64(out)
	s.mu.Unlock()
}

// lock gives a shard that nobody else is at, locked. Only where all of them are taken, and no
// more may be made, it waits for one.
func (t *Tenant) lock() *shard {
	n := t.shards.Load()
	at := int32(0)
	if n > 0 {
		at = rand.Int32N(n + 1)
	}
	home := t.shard(at)
	if home.mu.TryLock() {
		return home
	}
	for i := range n {
		if s := t.shard((at + i + 1) % (n + 1)); s.mu.TryLock() {
			return s
		}
	}
	if s := t.grow(n); s != nil && s.mu.TryLock() {
		return s
	}
	home.mu.Lock()
	return home
}

func (t *Tenant) shard(i int32) *shard {
	if i == 0 {
		return &t.first
	}
	return t.more[i-1].Load()
}

// grow makes the shard after n others, if there may be one.
func (t *Tenant) grow(n int32) *shard {
	if int(n) >= len(t.more) || int(n)+1 >= runtime.GOMAXPROCS(0) {
		return nil
	}
	s := &shard{}
	if !t.more[n].CompareAndSwap(nil, s) {
		return nil // somebody else has just made it
	}
	t.shards.Store(n + 1)
	return s
}

// counts adds the shards up.
func (t *Tenant) counts() fleet.TenantTraffic {
	var all codes
	out := fleet.TenantTraffic{Buckets: make([]uint64, len(bounds)+1)}
	for i := range t.shards.Load() + 1 {
		s := t.shard(i)
		s.mu.Lock()
		for _, c := range s.codes {
			all.merge(c)
		}
		for j, n := range s.took.buckets {
			out.Buckets[j] += n
		}
		out.Took += s.took.sum
		out.Answered += s.answered
		out.FirstByte += s.firstByte
		out.BytesIn += s.in
		out.BytesOut += s.out
		out.Held += s.held
		out.HeldFor += s.heldFor
		out.Retries += s.retries
		s.mu.Unlock()
	}
	out.Codes = all.list()
	return out
}
