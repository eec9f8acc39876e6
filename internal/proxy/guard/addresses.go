package guard

import (
	"math/bits"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	ways      = 8  // buckets in a set
	setsALock = 16 // sets that share one
	minSets   = 64
)

// addresses has a bucket for each of the clients that came last, in memory that never grows. It
// is a cache of sets: a client's bucket is in one set only, and where that has no room the one
// that is fullest makes room, which most often is a client that has not come for long and so
// loses nothing. Of more clients at once than there are buckets some are limited late.
type addresses struct {
	seed  [3]uint64 // secret, so that nobody can choose addresses that fall into one set
	sets  [][ways]addressBucket
	locks []sync.Mutex
}

type addressBucket struct {
	tag  uint64 // of tenant and client; 0: free
	full int64
}

// newAddresses makes room for at least n clients.
func newAddresses(n int) *addresses {
	sets := max(minSets, n/ways)
	sets = 1 << bits.Len(uint(sets-1))
	return &addresses{
		seed: [3]uint64{rand.Uint64(), rand.Uint64(), rand.Uint64()},
		sets: make([][ways]addressBucket, sets), locks: make([]sync.Mutex, sets/setsALock),
	}
}

// tag mixes tenant and client into a number that nobody outside can foresee. Two that have the
// same would share a bucket; of 64 bits that does not happen.
func (a *addresses) tag(tenant uint64, key clientKey) uint64 {
	hi, lo := bits.Mul64(key.hi^a.seed[0], key.lo^a.seed[1]|1)
	hi2, lo2 := bits.Mul64(hi^lo^a.seed[2], tenant^key.hi^bits.RotateLeft64(key.lo, 32)^a.seed[0])
	return max(hi2^lo2, 1)
}

func (a *addresses) take(r rate, tenant uint64, key clientKey, now int64) time.Duration {
	tag := a.tag(tenant, key)
	n := tag & uint64(len(a.sets)-1)
	lock := &a.locks[n/setsALock]
	lock.Lock()
	defer lock.Unlock()
	set := &a.sets[n]
	fullest := &set[0]
	for i := range set {
		b := &set[i]
		if b.tag == tag {
			var wait time.Duration
			b.full, wait = r.take(b.full, now)
			return wait
		}
		if b.full < fullest.full {
			fullest = b
		}
	}
	next, wait := r.take(0, now)
	*fullest = addressBucket{tag: tag, full: next}
	return wait
}
