package retention

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

var update = flag.Bool("update", false, "write the golden files")

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// series gives n items, step apart, the newest at the end.
func series(end time.Time, step time.Duration, n int) []Item {
	items := make([]Item, n)
	for i := range items {
		at := end.Add(-time.Duration(n-1-i) * step)
		items[i] = Item{ID: at.UTC().Format("0102-1504"), At: at}
	}
	return items
}

func TestGolden(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, berlin)
	pinned := series(now, 24*time.Hour, 10)
	pinned[2].Pinned = true
	for name, c := range map[string]struct {
		items []Item
		keep  fleet.Keep
		now   time.Time
		zone  *time.Location
	}{
		"usual":        {series(now, 6*time.Hour, 200), fleet.Keep{Last: 2, Hourly: 3, Daily: 4, Weekly: 3, Monthly: 2, Yearly: 1}, now, berlin},
		"gaps":         {append(series(now.AddDate(0, -3, 0), time.Hour, 3), series(now, 40*time.Hour, 4)...), fleet.Keep{Hourly: 2, Daily: 5}, now, berlin},
		"pinned":       {pinned, fleet.Keep{Daily: 2}, now, berlin},
		"least age":    {series(now, time.Hour, 8), fleet.Keep{Last: 1, MinAge: 3 * time.Hour}, now, berlin},
		"zero":         {series(now, time.Hour, 3), fleet.Keep{}, now, berlin},
		"only age":     {series(now, time.Hour, 3), fleet.Keep{MinAge: time.Hour}, now, berlin},
		"clocks back":  {series(time.Date(2026, 10, 25, 2, 0, 0, 0, time.UTC), 30*time.Minute, 8), fleet.Keep{Hourly: 5}, now, berlin},
		"clocks ahead": {series(time.Date(2026, 3, 29, 2, 0, 0, 0, time.UTC), 30*time.Minute, 8), fleet.Keep{Hourly: 5}, now, berlin},
		"new year":     {series(time.Date(2027, 1, 4, 0, 0, 0, 0, time.UTC), 24*time.Hour, 8), fleet.Keep{Weekly: 3, Monthly: 2, Yearly: 2}, now, time.UTC},
		"day in zone":  {series(time.Date(2026, 3, 10, 14, 0, 0, 0, time.UTC), 6*time.Hour, 6), fleet.Keep{Daily: 2}, now, zone(t, "Pacific/Auckland")},
		"from ahead":   {series(now.Add(48*time.Hour), 24*time.Hour, 4), fleet.Keep{Daily: 1, MinAge: time.Hour}, now, berlin},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for _, v := range Apply(c.items, c.keep, c.now, c.zone) {
				word := "drop"
				if v.Kept() {
					word = "keep"
				}
				fmt.Fprintf(&b, "%s %s  %s\n", word, v.At.In(c.zone).Format("Mon 2006-01-02 15:04 -07:00"), strings.Join(v.Reasons, "; "))
			}
			file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "_")+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("got\n%s\nwant\n%s", b.String(), want)
			}
		})
	}
}

func TestProperties(t *testing.T) {
	zones := []*time.Location{time.UTC, zone(t, "Europe/Berlin"), zone(t, "America/New_York"), zone(t, "Asia/Kathmandu")}
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(0, 4)
		keep := fleet.Keep{
			Last: count.Draw(t, "last"), Hourly: count.Draw(t, "hourly"), Daily: count.Draw(t, "daily"),
			Weekly: count.Draw(t, "weekly"), Monthly: count.Draw(t, "monthly"), Yearly: count.Draw(t, "yearly"),
			MinAge: time.Duration(rapid.IntRange(0, 72).Draw(t, "age")) * time.Hour,
		}
		z := rapid.SampledFrom(zones).Draw(t, "zone")
		now := start.AddDate(1, 6, 0)
		var items []Item
		for i, minutes := range rapid.SliceOfN(rapid.IntRange(0, 550*24*60), 0, 60).Draw(t, "items") {
			items = append(items, Item{
				ID: fmt.Sprint(i), At: start.Add(time.Duration(minutes) * time.Minute),
				Pinned: rapid.IntRange(0, 9).Draw(t, "pinned") == 0,
			})
		}
		verdicts := Apply(items, keep, now, z)
		if len(verdicts) != len(items) {
			t.Fatalf("%d verdicts on %d items", len(verdicts), len(items))
		}
		var left []Item
		for _, v := range verdicts {
			if v.Kept() {
				left = append(left, v.Item)
			} else if v.Pinned || keep.MinAge > 0 && now.Sub(v.At) < keep.MinAge {
				t.Fatalf("%+v goes", v)
			}
		}
		if len(items) > 0 && len(left) == 0 {
			t.Fatal("all go")
		}
		// What was kept once is kept again: a sweep right after a sweep does nothing.
		if again := Dropped(Apply(left, keep, now, z)); len(again) > 0 {
			t.Fatalf("a second time %v go", again)
		}
		// More of a count never drops what less of it keeps.
		more := keep
		more.Daily++
		if keep != (fleet.Keep{MinAge: keep.MinAge}) {
			gone := Dropped(Apply(items, keep, now, z))
			for _, id := range Dropped(Apply(items, more, now, z)) {
				if !slices.Contains(gone, id) {
					t.Fatalf("%s goes when more are kept", id)
				}
			}
		}
	})
}

func TestCheck(t *testing.T) {
	for field, keep := range map[string]fleet.Keep{
		"keep.last": {Last: -1}, "keep.yearly": {Yearly: 20_000}, "keep.min_age": {MinAge: -1},
	} {
		err, is := errors.AsType[*fleet.Error](Check(keep))
		if !is || err.Code != fleet.Invalid || err.Field != field || err.Hint == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := Check(fleet.Keep{Daily: 7, MinAge: time.Hour}); err != nil {
		t.Error(err)
	}
}
