package migration

import (
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Pass is one copy of what the tenant has written since the one before; the first is of all.
type Pass struct {
	Bytes fleet.Size    `json:"bytes"` // sent; 0 where LXD does not tell
	Took  time.Duration `json:"took_ns"`
}

const (
	// enough is a pass so short that another would save nothing: most of it is LXD's own work.
	enough = 2 * time.Second
	// mostPasses bounds phase one, where every pass shrinks a little.
	mostPasses = 12
	// shrinks is the part of the one before that a pass must stay below for another to be worth it.
	shrinks = 0.8
	// fixed is what visitors wait for besides the last pass: stop, names, start, health.
	fixed = 4 * time.Second
)

// Verdict says how phase one goes on.
type Verdict int

const (
	Again    Verdict = iota // another pass
	CutOver                 // the rest is small enough, or does not get smaller
	Hopeless                // it does not get smaller, and visitors would wait too long
)

// Judge looks at the passes so far, the first of them the copy of all. mostHold is how long
// visitors may wait. What the last pass took is what the next takes at most, while the tenant
// writes as it did.
func Judge(passes []Pass, mostHold time.Duration) Verdict {
	n := len(passes)
	if n == 0 {
		return Again
	}
	last := passes[n-1].Took
	stuck := n > 2 && float64(last) > shrinks*float64(passes[n-2].Took) || n >= mostPasses
	switch {
	case last <= enough:
		return CutOver
	case !stuck:
		return Again
	case last+fixed <= mostHold:
		return CutOver
	}
	return Hopeless
}
