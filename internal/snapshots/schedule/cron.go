package schedule

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Cron is a parsed expression.
type Cron struct {
	text string
	spec *cron.SpecSchedule
}

// Parse reads a standard expression of five fields (minute, hour, day of month, month, day of
// week), or @hourly, @daily, @weekly, @monthly, @yearly. fleet.Invalid with field "cron".
func Parse(text string) (Cron, error) {
	text = strings.TrimSpace(text)
	wrong := func(why string) error {
		return fleet.Errorf(fleet.Invalid, "%q is no time to run: %s", text, why).WithField("cron").
			WithHint("write minute, hour, day of month, month and day of week, such as \"30 2 * * *\", or @hourly, @daily, @weekly, @monthly, @yearly")
	}
	switch {
	case len(text) > 200:
		return Cron{}, wrong("it is too long")
	case strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ="):
		return Cron{}, wrong("the time zone is that of the tenant or the policy")
	case strings.HasPrefix(text, "@every"):
		return Cron{}, wrong("there is no beginning to count from")
	}
	parsed, err := cron.ParseStandard(text)
	if err != nil {
		return Cron{}, wrong(err.Error())
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return Cron{}, wrong("it has no fields")
	}
	c := Cron{text: text, spec: spec}
	if c.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.UTC).IsZero() {
		return Cron{}, wrong("that day never comes")
	}
	return c, nil
}

func (c Cron) String() string { return c.text }

// everyHour reports whether the hour does not matter.
func (c Cron) everyHour() bool {
	const all = 1<<24 - 1
	return c.spec.Hour&all == all
}

// Next gives the first run after the given moment; zero where there is none in the years that
// are looked at, about five.
func (c Cron) Next(after time.Time, zone *time.Location) time.Time {
	if c.everyHour() {
		return c.inZone(zone).Next(after.In(zone)).UTC()
	}
	// As clocks show it, and as if they never changed: then what they show is made a moment.
	shown := after.In(zone)
	wall := time.Date(shown.Year(), shown.Month(), shown.Day(), shown.Hour(), shown.Minute(), shown.Second(), 0, time.UTC)
	naive := c.inZone(time.UTC)
	for {
		wall = naive.Next(wall)
		if wall.IsZero() {
			return time.Time{}
		}
		if at := moment(wall, zone); at.After(after) {
			return at.UTC()
		}
	}
}

func (c Cron) inZone(zone *time.Location) *cron.SpecSchedule {
	spec := *c.spec
	spec.Location = zone
	return &spec
}

// moment is when clocks in the zone show the time: the first such moment where there are two,
// and the moment at which they leave it out where there is none.
func moment(wall time.Time, zone *time.Location) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	shows := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	begin, end := t.ZoneBounds()
	switch {
	case shows.After(wall):
		return begin
	case shows.Before(wall):
		return end
	}
	if begin.IsZero() {
		return t
	}
	_, offset := t.Zone()
	_, before := begin.Add(-time.Nanosecond).Zone()
	if earlier := t.Add(-time.Duration(before-offset) * time.Second); before > offset && earlier.Before(begin) {
		return earlier
	}
	return t
}
