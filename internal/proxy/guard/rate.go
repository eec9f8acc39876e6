package guard

import (
	"sync/atomic"
	"time"
)

// rate is a token bucket in the form of GCRA: instead of tokens and the time they were counted
// at there is one number, the time at which the bucket would be full again. So a bucket is eight
// bytes, and one that is full is the same as one that is not there.
type rate struct {
	each int64 // nanoseconds one request takes from the bucket; 0: no limit
	size int64 // nanoseconds that the whole bucket holds
}

func newRate(perSecond float64, burst int) rate {
	if perSecond <= 0 {
		return rate{}
	}
	if burst <= 0 {
		burst = max(1, int(perSecond))
	}
	each := max(1, int64(float64(time.Second)/perSecond))
	return rate{each: each, size: each * int64(burst)}
}

// take gives the bucket's new value, or how long to wait where it has too little.
func (r rate) take(full, now int64) (next int64, wait time.Duration) {
	next = max(full, now) + r.each
	if over := next - now - r.size; over > 0 {
		return full, time.Duration(over)
	}
	return next, 0
}

// bucket is one that many goroutines take from. The zero value is full.
type bucket struct{ full atomic.Int64 }

func (b *bucket) take(r rate, now int64) time.Duration {
	if r.each == 0 {
		return 0
	}
	for {
		full := b.full.Load()
		next, wait := r.take(full, now)
		if wait > 0 || b.full.CompareAndSwap(full, next) {
			return wait
		}
	}
}
