package schedule

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func must(t testing.TB, text string) Cron {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func in(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := Zone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestNext(t *testing.T) {
	const form = "2006-01-02 15:04 -07:00"
	for name, c := range map[string]struct {
		cron, zone, after string
		want              []string
	}{
		"daily": {"30 2 * * *", "Europe/Berlin", "2026-01-01 02:30 +01:00", []string{"2026-01-02 02:30 +01:00", "2026-01-03 02:30 +01:00"}},
		"clocks ahead: at the moment they do": {
			"30 2 * * *", "Europe/Berlin", "2026-03-28 12:00 +01:00",
			[]string{"2026-03-29 03:00 +02:00", "2026-03-30 02:30 +02:00"},
		},
		"clocks ahead: two in the gap are one": {
			"0,30 2 * * *", "Europe/Berlin", "2026-03-28 12:00 +01:00",
			[]string{"2026-03-29 03:00 +02:00", "2026-03-30 02:00 +02:00"},
		},
		"clocks back: the first time only": {
			"30 2 * * *", "Europe/Berlin", "2026-10-24 12:00 +02:00",
			[]string{"2026-10-25 02:30 +02:00", "2026-10-26 02:30 +01:00"},
		},
		"clocks back: asked between the two": {
			"30 2 * * *", "Europe/Berlin", "2026-10-25 02:10 +01:00", []string{"2026-10-26 02:30 +01:00"},
		},
		"hourly, clocks back": {
			"@hourly", "Europe/Berlin", "2026-10-25 01:30 +02:00",
			[]string{"2026-10-25 02:00 +02:00", "2026-10-25 02:00 +01:00", "2026-10-25 03:00 +01:00"},
		},
		"hourly, clocks ahead": {
			"15 * * * *", "Europe/Berlin", "2026-03-29 01:00 +01:00",
			[]string{"2026-03-29 01:15 +01:00", "2026-03-29 03:15 +02:00"},
		},
		"midnight left out":  {"@daily", "America/Santiago", "2026-09-05 12:00 -04:00", []string{"2026-09-06 01:00 -03:00", "2026-09-07 00:00 -03:00"}},
		"half an hour":       {"15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00 +10:30", []string{"2026-10-04 02:30 +11:00", "2026-10-05 02:15 +11:00"}},
		"leap day":           {"0 0 29 2 *", "UTC", "2026-01-01 00:00 +00:00", []string{"2028-02-29 00:00 +00:00"}},
		"weekly":             {"@weekly", "Asia/Tokyo", "2026-01-01 00:00 +09:00", []string{"2026-01-04 00:00 +09:00"}},
		"every other hour":   {"0 */2 * * *", "Europe/Berlin", "2026-03-29 00:30 +01:00", []string{"2026-03-29 03:00 +02:00", "2026-03-29 04:00 +02:00"}},
		"names, day or date": {"0 9 1 * mon", "UTC", "2026-05-30 00:00 +00:00", []string{"2026-06-01 09:00 +00:00", "2026-06-08 09:00 +00:00"}},
	} {
		t.Run(name, func(t *testing.T) {
			zone := in(t, c.zone)
			at, err := time.Parse(form, c.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				at = must(t, c.cron).Next(at, zone)
				if got := at.In(zone).Format(form); got != want {
					t.Fatalf("got %s, want %s", got, want)
				}
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "* * * *", "* * * * * *", "61 * * * *", "@every 1h", "@reboot", "TZ=UTC 0 0 * * *", "CRON_TZ=UTC @daily", "0 0 31 2 *",
		"a b c d e", fmt.Sprintf("%0300d * * * *", 1),
	} {
		_, err := Parse(text)
		e, is := errors.AsType[*fleet.Error](err)
		if !is || e.Code != fleet.Invalid || e.Field != "cron" || e.Hint == "" {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, name := range []string{"Local", "Mars/Olympus", "../../etc/passwd"} {
		if _, err := Zone(name); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"* * * * *", "@daily", "*/7 1-5,9 1 jan-mar mon", "0 0 31 2 *", "@every 1s"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		after := time.Date(2026, 3, 28, 23, 11, 0, 0, time.UTC)
		next := c.Next(after, time.UTC)
		if !next.After(after) {
			t.Errorf("%q after %s: %s", text, after, next)
		}
	})
}

var zoneNames = []string{
	"UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu",
	"Pacific/Apia", "Africa/Casablanca", "America/Sao_Paulo", "Asia/Tehran",
}

// A time of day comes once on each date, whatever the clocks do, but on dates that a zone left out.
func TestOnceADay(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		minute, hour := rapid.IntRange(0, 59).Draw(r, "minute"), rapid.IntRange(0, 22).Draw(r, "hour")
		zone := in(t, rapid.SampledFrom(zoneNames).Draw(r, "zone"))
		cron := must(t, fmt.Sprintf("%d %d * * *", minute, hour))
		year := rapid.IntRange(2015, 2035).Draw(r, "year")
		at := time.Date(year, rapid.SampledFrom([]time.Month{1, 5}).Draw(r, "month"), 1, 12, 0, 0, 0, zone)
		last := at // the day of the run before
		if hour > 12 || hour == 12 && minute > 0 {
			last = at.AddDate(0, 0, -1)
		}
		for range 200 {
			at = cron.Next(at, zone)
			want := last.AddDate(0, 0, 1)
			if at.In(zone).YearDay() != want.YearDay() {
				r.Fatalf("%s after %s", at.In(zone), last)
			}
			last = time.Date(want.Year(), want.Month(), want.Day(), 12, 0, 0, 0, zone)
		}
	})
}

// The next run after any moment before a run is that run.
func TestNextIsNext(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := fmt.Sprintf("%s %s * * %s",
			rapid.SampledFrom([]string{"0", "*/20", "7,38", "*"}).Draw(r, "minute"),
			rapid.SampledFrom([]string{"*", "*/3", "2", "1-4", "0,23"}).Draw(r, "hour"),
			rapid.SampledFrom([]string{"*", "sun", "1-5"}).Draw(r, "day"))
		cron, zone := must(t, text), in(t, rapid.SampledFrom(zoneNames).Draw(r, "zone"))
		x := time.Unix(rapid.Int64Range(1_420_000_000, 2_050_000_000).Draw(r, "x"), 0)
		next := cron.Next(x, zone)
		if !next.After(x) {
			r.Fatalf("%s is not after %s", next, x)
		}
		y := x.Add(time.Duration(rapid.Int64Range(0, int64(next.Sub(x))-1).Draw(r, "y")))
		if got := cron.Next(y, zone); !got.Equal(next) {
			r.Fatalf("%s: after %s it is %s, after %s it is %s", text, x.In(zone), next.In(zone), y.In(zone), got.In(zone))
		}
	})
}

// Every hour that passes has its run.
func TestEveryHour(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		zone := in(t, rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "America/Santiago"}).Draw(r, "zone"))
		at := time.Unix(rapid.Int64Range(1_420_000_000, 2_050_000_000).Draw(r, "at"), 0)
		cron := must(t, "@hourly")
		for range 24 * 40 {
			next := cron.Next(at, zone)
			if next.Sub(at) > time.Hour {
				r.Fatalf("%s after %s", next.In(zone), at.In(zone))
			}
			at = next
		}
	})
}
