package metrics

import "time"

// bounds are the upper ends of the buckets, but for the last one, which has none. Twelve are
// enough for a p99 that is right within a factor of two or so where web applications live.
var bounds = [...]time.Duration{
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond,
	10 * time.Second, time.Minute,
}

// Bounds gives the upper ends of the buckets of durations, ascending.
func Bounds() []time.Duration { return append([]time.Duration(nil), bounds[:]...) }

// histogram counts durations.
type histogram struct {
	buckets [len(bounds) + 1]uint64
	sum     time.Duration
}

func (h *histogram) add(d time.Duration) {
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h.buckets[i]++
	h.sum += d
}
