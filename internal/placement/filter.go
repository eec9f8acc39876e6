package placement

import (
	"fmt"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// filter rejects members that may not take the tenant.
type filter struct {
	name string
	code fleet.Code // of the error when this filter alone emptied the list
	wish bool       // it is about what the tenant wishes, not about room
	// passes is quick: plans ask it millions of times. why says, of a place that does not pass,
	// the reason in words that follow the member's name.
	passes func(l *ledger, p *place, w *want) bool
	why    func(l *ledger, p *place, w *want) string
}

// filters run in this order; the first that rejects a member gives its reason.
var filters = [...]filter{
	{"pinned", fleet.Invalid, false, isPinned, func(_ *ledger, _ *place, w *want) string { return "is not " + w.Member }},
	{"elsewhere", fleet.Exhausted, false, leaves, func(*ledger, *place, *want) string { return "is where it is" }},
	{"online", fleet.Unavailable, false, isOnline, whyOffline},
	{"cordon", fleet.Exhausted, false, isOpen, whyCordoned},
	{"labels", fleet.Exhausted, true, hasLabels, whyNoLabels},
	{"apart", fleet.Exhausted, true, keepsApart, whyNotApart},
	{"together", fleet.Exhausted, true, keepsTogether, whyNotTogether},
	{"pool", fleet.Exhausted, false, hasPool, whyNoPool},
	{"memory", fleet.Exhausted, false, hasMemory, whyNoMemory},
	{"promised", fleet.Exhausted, false, mayPromise, whyPromised},
	{"spare", fleet.Exhausted, false, keepsSpare, whyNoSpare},
}

// firstRejecting gives the filter that rejects the place; nil where none does.
func (l *ledger) firstRejecting(p *place, w *want) *filter {
	for i := range filters {
		if !filters[i].passes(l, p, w) {
			return &filters[i]
		}
	}
	return nil
}

func isPinned(_ *ledger, p *place, w *want) bool {
	return w.Member == "" || w.Member == p.Name || isAny(w.Member)
}

func leaves(_ *ledger, p *place, w *want) bool { return w.Leave == "" || w.Leave != p.Name }

func isOnline(_ *ledger, p *place, _ *want) bool { return p.Online }

func whyOffline(_ *ledger, p *place, _ *want) string {
	why := "is offline"
	switch p.Status {
	case fleet.MemberEvacuated:
		why = "is evacuated"
	case fleet.MemberBlocked:
		why = "is blocked"
	}
	if p.Message != "" {
		why += ": " + p.Message
	}
	return why
}

func isOpen(_ *ledger, p *place, _ *want) bool { return !p.Cordoned && !p.closed }

func whyCordoned(_ *ledger, p *place, _ *want) string {
	switch {
	case !p.Cordoned:
		return "is being emptied"
	case p.Reason != "":
		return "is cordoned: " + p.Reason
	}
	return "is cordoned"
}

func hasLabels(_ *ledger, p *place, w *want) bool {
	for _, t := range w.require {
		if !p.has(t.key, t.value) {
			return false
		}
	}
	return true
}

func whyNoLabels(_ *ledger, p *place, w *want) string {
	var missing []string
	for _, t := range w.require {
		if !p.has(t.key, t.value) {
			missing = append(missing, t.String())
		}
	}
	return "has not the label " + strings.Join(missing, ", ")
}

func keepsApart(l *ledger, p *place, w *want) bool {
	return whyNotApart(l, p, w) == ""
}

func whyNotApart(l *ledger, p *place, w *want) string {
	for _, t := range w.apart {
		if l.watched[t][p] > 0 {
			if t.key == "" {
				return "has the tenant " + t.value
			}
			return "has tenants with " + t.String()
		}
	}
	if len(l.repelled) == 0 {
		return ""
	}
	for _, t := range w.self {
		if l.repelled[t][p] > 0 {
			return "has a tenant that wishes to be apart from " + t.String()
		}
	}
	return ""
}

// keepsTogether lets every place pass while nobody it wishes to be with is anywhere.
func keepsTogether(l *ledger, p *place, w *want) bool {
	for _, t := range w.together {
		if on := l.watched[t]; len(on) > 0 && on[p] == 0 {
			return false
		}
	}
	return true
}

func whyNotTogether(l *ledger, p *place, w *want) string {
	for _, t := range w.together {
		if on := l.watched[t]; len(on) > 0 && on[p] == 0 {
			if t.key == "" {
				return "has not the tenant " + t.value
			}
			return "has no tenant with " + t.String()
		}
	}
	return ""
}

// hasPool rejects a member whose pool would keep less than the head-room. A pool whose size
// could not be read is let through: LXD itself refuses when it is full.
func hasPool(l *ledger, p *place, w *want) bool {
	free := p.PoolTotal - p.PoolUsed
	return p.PoolTotal <= 0 || free > 0 && free-w.Pool >= l.rules.PoolHeadRoom.Of(p.PoolTotal)
}

func whyNoPool(l *ledger, p *place, w *want) string {
	need := ""
	if w.Pool > 0 {
		need = about(w.Pool) + " needed, "
	}
	return fmt.Sprintf("has a full pool: %s of %s free, %s%s kept as head-room", about(max(p.PoolTotal-p.PoolUsed, 0)),
		about(p.PoolTotal), need, about(l.rules.PoolHeadRoom.Of(p.PoolTotal)))
}

func hasMemory(l *ledger, p *place, w *want) bool {
	free := p.MemoryTotal - p.MemoryUsed
	return p.MemoryTotal <= 0 || free > 0 && free-w.Memory >= l.rules.MemoryHeadRoom
}

func whyNoMemory(l *ledger, p *place, w *want) string {
	more := ""
	if w.Memory > 0 {
		more += ", " + about(w.Memory) + " needed"
	}
	if l.rules.MemoryHeadRoom > 0 {
		more += ", " + about(l.rules.MemoryHeadRoom) + " kept as head-room"
	}
	return fmt.Sprintf("has no memory left: %s of %s free%s", about(max(p.MemoryTotal-p.MemoryUsed, 0)), about(p.MemoryTotal), more)
}

// mayPromise holds the ratios of over-commit. A tenant that is promised nothing of a resource
// does not stand back because others were promised too much.
func mayPromise(l *ledger, p *place, w *want) bool { return l.overpromised(p, w) == nil }

func (l *ledger) overpromised(p *place, w *want) *resource {
	for i := range resources {
		r := &resources[i]
		need := r.need(w.Needs)
		if most, bounded := r.capacity(&p.Member, l.rules.Overcommit); bounded && need > 0 && r.need(p.reserved)+need > most {
			return r
		}
	}
	return nil
}

func whyPromised(l *ledger, p *place, w *want) string {
	r := l.overpromised(p, w)
	most, _ := r.capacity(&p.Member, l.rules.Overcommit)
	return fmt.Sprintf("has promised its %s: %s of %s, %s more is asked for", r.name, r.text(r.need(p.reserved)), r.text(most), r.text(r.need(w.Needs)))
}
