package fleet

import (
	"slices"
	"strings"
	"time"
)

// Window is a time in which a tenant may be worked on: from one time of day to another, on some
// days of the week or on all. One that ends before it begins ends on the next day.
type Window struct {
	Days     []time.Weekday // on which it begins; none: on all
	From, To time.Duration  // since midnight, by the clock on the wall
}

var weekdays = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday,
	"thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

// ParseWindow reads a window such as "02:00-05:00" or "sat,sun 22:30-04:00". The error is of code
// Invalid and field "window".
func ParseWindow(s string) (Window, error) {
	wrong := Errorf(Invalid, "%q is no window", s).WithField("window").WithHint(`write it as "02:00-05:00" or "sat,sun 22:30-04:00"`)
	var w Window
	days, span, hasDays := strings.Cut(strings.TrimSpace(s), " ")
	if !hasDays {
		days, span = "", days
	}
	for name := range strings.SplitSeq(days, ",") {
		day, ok := weekdays[strings.ToLower(name)]
		if name != "" && !ok {
			return Window{}, wrong
		}
		if name != "" && !slices.Contains(w.Days, day) {
			w.Days = append(w.Days, day)
		}
	}
	from, to, _ := strings.Cut(strings.TrimSpace(span), "-")
	var ok1, ok2 bool
	w.From, ok1 = clockTime(from)
	w.To, ok2 = clockTime(to)
	if !ok1 || !ok2 || w.From == w.To {
		return Window{}, wrong
	}
	return w, nil
}

func clockTime(s string) (time.Duration, bool) {
	t, err := time.Parse("15:04", s)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err == nil
}

// Next gives now where it lies in the window, else when the window begins next, by the clock of now's
// location.
func (w Window) Next(now time.Time) time.Time {
	for day := -1; ; day++ { // since yesterday: that window may reach into today
		begins, ends := w.at(now, day)
		if len(w.Days) > 0 && !slices.Contains(w.Days, begins.Weekday()) {
			continue
		}
		switch {
		case !ends.After(now):
		case !begins.After(now):
			return now
		default:
			return begins
		}
	}
}

// at is the window that begins so many days after now's.
func (w Window) at(now time.Time, days int) (begins, ends time.Time) {
	wall := func(days int, of time.Duration) time.Time {
		return time.Date(now.Year(), now.Month(), now.Day()+days, int(of.Hours()), int(of.Minutes())%60, 0, 0, now.Location())
	}
	begins, ends = wall(days, w.From), wall(days, w.To)
	if w.To < w.From {
		ends = wall(days+1, w.To)
	}
	return begins, ends
}
