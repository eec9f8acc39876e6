package placement

import "fmt"

// Level is how full a member is, in percent; 0 where that is not known or not bounded.
type Level struct {
	Tenants int
	// CPU, Memory and Disk are what plans promise, of what may be promised.
	CPU, Memory, Disk float64
	// Pool and MemoryUsed are what is in use, of what there is.
	Pool, MemoryUsed float64
}

// Targets are the levels, in percent, that a rebalance brings members down to, and that
// consolidation fills them up to; 0: none.
type Targets struct {
	Promised int // for Level's CPU, Memory and Disk
	Used     int // for Level's Pool and MemoryUsed
}

// DefaultTargets leave room to grow on each member.
func DefaultTargets() Targets { return Targets{Promised: 90, Used: 80} }

// dimension is one of the numbers of a Level.
type dimension struct {
	name   string
	amount func(l *ledger, p *place) (is, most int64) // most 0: not bounded
	weight func(t *Tenant) int64                      // of a tenant in it
	target func(Targets) int
}

func promisedOf(r *resource) dimension {
	return dimension{
		name: r.name + " promised",
		amount: func(l *ledger, p *place) (is, most int64) {
			most, _ = r.capacity(&p.Member, l.rules.Overcommit)
			return r.need(p.reserved), most
		},
		weight: func(t *Tenant) int64 { return r.need(t.Needs) },
		target: func(t Targets) int { return t.Promised },
	}
}

var dimensions = [...]dimension{
	promisedOf(&resources[0]),
	promisedOf(&resources[1]),
	promisedOf(&resources[2]),
	{
		name:   "pool used",
		amount: func(_ *ledger, p *place) (is, most int64) { return int64(p.PoolUsed), int64(p.PoolTotal) },
		weight: func(t *Tenant) int64 { return int64(t.Bytes) },
		target: func(t Targets) int { return t.Used },
	},
	{
		name:   "memory used",
		amount: func(_ *ledger, p *place) (is, most int64) { return int64(p.MemoryUsed), int64(p.MemoryTotal) },
		weight: func(t *Tenant) int64 { return int64(t.Memory) },
		target: func(t Targets) int { return t.Used },
	},
}

func (l *ledger) level(p *place) Level {
	percent := func(d int) float64 {
		is, most := dimensions[d].amount(l, p)
		if most <= 0 {
			return 0
		}
		return 100 * float64(max(is, 0)) / float64(most)
	}
	return Level{
		Tenants: p.tenants, Memory: percent(0), CPU: percent(1), Disk: percent(2), Pool: percent(3), MemoryUsed: percent(4),
	}
}

// excess is by how many points of percent the place is above the targets, in all dimensions,
// were it without the tenant (nil: as it is).
func (l *ledger) excess(p *place, targets Targets, without *Tenant) (total float64) {
	for i := range dimensions {
		d := &dimensions[i]
		is, most := d.amount(l, p)
		target := d.target(targets)
		if most <= 0 || target <= 0 {
			continue
		}
		if without != nil {
			is -= d.weight(without)
		}
		total += max(0, 100*float64(is)/float64(most)-float64(target))
	}
	return total
}

// exceeded has a bit for each dimension in which the place is above its target.
func (l *ledger) exceeded(p *place, targets Targets) (over int) {
	for i := range dimensions {
		is, most := dimensions[i].amount(l, p)
		if target := dimensions[i].target(targets); most > 0 && target > 0 && above(is, most, target) {
			over |= 1 << i
		}
	}
	return over
}

// above compares exactly as excess does, so that both agree on when there is none.
func above(is, most int64, target int) bool {
	return 100*float64(is)/float64(most)-float64(target) > 0
}

// under reports whether the place is not above any target with the tenant on it too.
func (l *ledger) under(p *place, targets Targets, t *Tenant) bool {
	for i := range dimensions {
		d := &dimensions[i]
		is, most := d.amount(l, p)
		target, weight := d.target(targets), d.weight(t)
		if most > 0 && target > 0 && weight > 0 && above(is+weight, most, target) {
			return false
		}
	}
	return true
}

// whyOver says which targets the place is above; empty where it is above none.
func (l *ledger) whyOver(p *place, targets Targets) string {
	why := ""
	for i := range dimensions {
		d := &dimensions[i]
		is, most := d.amount(l, p)
		target := d.target(targets)
		if most > 0 && target > 0 && above(is, most, target) {
			if why != "" {
				why += ", "
			}
			why += fmt.Sprintf("%s %.0f %% (target %d %%)", d.name, 100*float64(is)/float64(most), target)
		}
	}
	return why
}
