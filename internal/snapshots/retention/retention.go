package retention

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Item is one of a series.
type Item struct {
	ID     string
	At     time.Time // whose state it holds
	Pinned bool
}

// Verdict says what becomes of an item.
type Verdict struct {
	Item
	// Reasons to keep it; none: it goes.
	Reasons []string
}

// Kept reports whether the item stays.
func (v Verdict) Kept() bool { return len(v.Reasons) > 0 }

// rule keeps the newest item of each of the last count periods in which there was any.
type rule struct {
	name   string
	count  int
	period func(time.Time) string
}

func rules(k fleet.Keep) []rule {
	layout := func(l string) func(time.Time) string { return func(t time.Time) string { return t.Format(l) } }
	return []rule{
		// When clocks go back an hour comes twice; its offset tells the two apart.
		{"hourly", k.Hourly, layout("2006-01-02 15h -07:00")},
		{"daily", k.Daily, layout("2006-01-02")},
		{"weekly", k.Weekly, func(t time.Time) string {
			year, week := t.ISOWeek()
			return fmt.Sprintf("%d-W%02d", year, week)
		}},
		{"monthly", k.Monthly, layout("2006-01")},
		{"yearly", k.Yearly, layout("2006")},
	}
}

// Apply gives the verdict on each item, oldest first. Hours, days and longer periods are those
// of the zone. Items of one moment count by their ID. The newest item of all is always kept when
// the rule keeps any at all, since each period's newest is.
func Apply(items []Item, keep fleet.Keep, now time.Time, zone *time.Location) []Verdict {
	verdicts := make([]Verdict, len(items))
	for i, item := range items {
		verdicts[i].Item = item
	}
	slices.SortStableFunc(verdicts, func(a, b Verdict) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	if keep == (fleet.Keep{MinAge: keep.MinAge}) { // nothing is counted: all stay
		for i := range verdicts {
			verdicts[i].because("the rule keeps all")
		}
		return verdicts
	}
	for i := range verdicts {
		v := &verdicts[i]
		if v.Pinned {
			v.because("pinned")
		}
		if keep.MinAge > 0 && now.Sub(v.At) < keep.MinAge {
			v.because(fmt.Sprintf("younger than %s", keep.MinAge))
		}
	}
	for n := range min(keep.Last, len(verdicts)) {
		verdicts[len(verdicts)-1-n].because(fmt.Sprintf("last: %d of %d", n+1, keep.Last))
	}
	for _, r := range rules(keep) {
		r.apply(verdicts, zone)
	}
	return verdicts
}

func (r rule) apply(verdicts []Verdict, zone *time.Location) {
	last, n := "", 0
	for i := len(verdicts) - 1; i >= 0 && n < r.count; i-- {
		period := r.period(verdicts[i].At.In(zone))
		if period == last {
			continue
		}
		last = period
		n++
		verdicts[i].because(fmt.Sprintf("%s: newest of %s, %d of %d", r.name, period, n, r.count))
	}
}

func (v *Verdict) because(reason string) { v.Reasons = append(v.Reasons, reason) }

// Dropped gives the IDs of the items that go, oldest first.
func Dropped(verdicts []Verdict) []string {
	var ids []string
	for _, v := range verdicts {
		if !v.Kept() {
			ids = append(ids, v.ID)
		}
	}
	return ids
}

// Check refuses a rule that makes no sense: fleet.Invalid.
func Check(k fleet.Keep) error {
	for name, n := range map[string]int{
		"last": k.Last, "hourly": k.Hourly, "daily": k.Daily, "weekly": k.Weekly, "monthly": k.Monthly, "yearly": k.Yearly,
	} {
		if n < 0 || n > 10_000 {
			return fleet.Errorf(fleet.Invalid, "keep %d %s", n, name).WithField("keep." + name).WithHint("give 0 to 10000")
		}
	}
	if k.MinAge < 0 {
		return fleet.Errorf(fleet.Invalid, "a least age of %s", k.MinAge).WithField("keep.min_age").WithHint("give 0 or more, such as 24h")
	}
	return nil
}
