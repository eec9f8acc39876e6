package schedule

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func daily(id, member string, last time.Time) Item {
	rule := Rule{Cron: "0 2 * * *", Zone: "UTC"}
	return Item{ID: id, Member: member, Rule: rule, Last: last, LastRule: rule.String()}
}

func TestPlan(t *testing.T) {
	two := time.Date(2026, 3, 10, 2, 0, 0, 0, time.UTC)
	other := daily("a", "n1", two)
	other.LastRule = "@hourly UTC"
	broken := daily("a", "n1", two)
	broken.Rule.Zone = "Mars/Olympus"
	for name, c := range map[string]struct {
		items []Item
		want  Tick
	}{
		"none":            {nil, Tick{}},
		"done today":      {[]Item{daily("a", "n1", two)}, Tick{Next: two.AddDate(0, 0, 1)}},
		"due":             {[]Item{daily("a", "n1", two.Add(-time.Second))}, Tick{Run: []Run{{"a", "n1", two}}}},
		"down for a week": {[]Item{daily("a", "n1", two.AddDate(0, 0, -7))}, Tick{Run: []Run{{"a", "n1", two.AddDate(0, 0, -6)}}}},
		"new":             {[]Item{daily("a", "n1", time.Time{})}, Tick{Begin: []string{"a"}, Next: two.AddDate(0, 0, 1)}},
		"another rule":    {[]Item{other}, Tick{Begin: []string{"a"}, Next: two.AddDate(0, 0, 1)}},
		"clock was ahead": {[]Item{daily("a", "n1", noon.AddDate(3, 0, 0))}, Tick{Begin: []string{"a"}, Next: two.AddDate(0, 0, 1)}},
		"clock set back a little": {
			[]Item{daily("a", "n1", noon.Add(time.Minute))}, Tick{Next: two.AddDate(0, 0, 1)},
		},
		"spread, the longest due first": {
			[]Item{
				daily("c", "n1", two.AddDate(0, 0, -1)), daily("a", "n1", two.AddDate(0, 0, -3)), daily("b", "n1", two.AddDate(0, 0, -2)),
				daily("d", "n2", two.AddDate(0, 0, -1)), daily("e", "n3", two.AddDate(0, 0, -1)),
			},
			Tick{Run: []Run{
				{"a", "n1", two.AddDate(0, 0, -2)}, {"b", "n1", two.AddDate(0, 0, -1)}, {"d", "n2", two},
			}, Waiting: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var p Planner
			got := p.Plan(noon, c.items, 2, map[string]int{"n3": 0})
			got.Broken = nil
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	var p Planner
	if tick := p.Plan(noon, []Item{broken}, 2, nil); tick.Broken["a"] == nil || len(tick.Run) > 0 {
		t.Errorf("%+v", tick)
	}
}

// A daemon that ticks, is down, and has its clock set, runs each item at most once between two
// of its times, and never more than the share of a member at once.
func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		now, runs := noon, map[string][]time.Time{}
		items := make([]Item, 20)
		for i := range items {
			items[i] = daily(fmt.Sprintf("t%02d", i), fmt.Sprint("n", i%3), time.Time{})
			items[i].Rule.Cron = fmt.Sprintf("%d %d * * *", i, i%5)
		}
		var p Planner
		for _, minutes := range rapid.SliceOfN(rapid.IntRange(1, 4000), 1, 40).Draw(r, "pauses") {
			now = now.Add(time.Duration(minutes) * time.Minute)
			tick := p.Plan(now, items, 3, nil)
			count := map[string]int{}
			follow := func(id string) {
				i := slices.IndexFunc(items, func(item Item) bool { return item.ID == id })
				items[i].Last, items[i].LastRule = now, items[i].Rule.String()
			}
			for _, run := range tick.Run {
				if count[run.Member]++; count[run.Member] > 3 {
					r.Fatalf("%d at once on %s", count[run.Member], run.Member)
				}
				if run.At.After(now) {
					r.Fatalf("%+v is early at %s", run, now)
				}
				if before := runs[run.ID]; len(before) > 0 && !run.At.After(before[len(before)-1]) {
					r.Fatalf("%+v was caught up at %s already", run, before[len(before)-1])
				}
				runs[run.ID] = append(runs[run.ID], now)
				follow(run.ID)
			}
			for _, id := range tick.Begin {
				follow(id)
			}
			if tick.Waiting == 0 && !tick.Next.IsZero() && !tick.Next.After(now) {
				r.Fatalf("next %s at %s", tick.Next, now)
			}
		}
	})
}

// thousands are tenants in many zones with rules of many kinds, a third of them due.
func thousands(n int) []Item {
	crons := []string{"@hourly", "30 2 * * *", "0 */6 * * *", "@weekly", "*/15 8-18 * * 1-5", "0 3 1 * *"}
	items := make([]Item, n)
	for i := range items {
		rule := Rule{Cron: crons[i%len(crons)], Zone: zoneNames[i%len(zoneNames)]}
		items[i] = Item{
			ID: fmt.Sprintf("tenant%05d", i), Member: fmt.Sprint("n", i%10), Rule: rule,
			Last: noon.Add(-time.Duration(i%600) * time.Minute), LastRule: rule.String(),
		}
	}
	return items
}

func TestTenThousand(t *testing.T) {
	items, p := thousands(10_000), Planner{}
	p.Plan(noon, items, 2, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	tick := p.Plan(noon, items, 2, nil)
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	if len(tick.Run) == 0 || len(tick.Run) > 20 || tick.Waiting < 1000 {
		t.Errorf("%d runs, %d waiting", len(tick.Run), tick.Waiting)
	}
	if took > time.Second {
		t.Errorf("a tick took %s", took)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
		t.Errorf("a tick took %d bytes", used)
	}
}

func BenchmarkPlan10000(b *testing.B) {
	items, p := thousands(10_000), Planner{}
	b.ReportAllocs()
	for b.Loop() {
		p.Plan(noon, items, 2, nil)
	}
}
