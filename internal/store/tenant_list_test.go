package store

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func testTenantFilter(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	for name, change := range map[string]func(*fleet.Tenant){
		"acme":   func(t *fleet.Tenant) { t.DisplayName = "ACME Ltd" },
		"bravo":  func(t *fleet.Tenant) { t.DisplayName = "Émile"; t.Labels = map[string]string{"ring": "early"} },
		"carol":  func(t *fleet.Tenant) { t.Labels = map[string]string{"ring": "late", "team": "red"}; t.Member = "n2" },
		"delta":  func(t *fleet.Tenant) { t.Desired = fleet.DesiredStopped; t.Plan = "large" },
		"echo":   func(t *fleet.Tenant) { t.Desired = fleet.DesiredRemoved; t.Labels = nil },
		"foxtro": func(t *fleet.Tenant) { t.Image.Version = "7"; t.Domains = []fleet.Domain{"100-percent.shop"} },
		"golf":   func(t *fleet.Tenant) { t.Image = fleet.ImageRef{Name: "static", Version: "7"} },
	} {
		tenant := aTenant(name)
		tenant.DisplayName = ""
		change(&tenant)
		ok(t, s.InsertTenant(ctx, tenant))
	}
	type filter = fleet.TenantFilter
	for _, test := range []struct {
		name   string
		filter filter
		want   string
	}{
		{"all", filter{}, "acme bravo carol delta echo foxtro golf"},
		{"search name", filter{Search: "ol"}, "carol golf"},
		{"search display name", filter{Search: "ltd"}, "acme"},
		{"search other case", filter{Search: "ÉMILE"}, "bravo"},
		{"search domain", filter{Search: "Percent.SHOP"}, "foxtro"},
		{"search wildcard is a letter", filter{Search: "%"}, ""},
		{"search underscore is a letter", filter{Search: "a_me"}, ""},
		{"search not the contact", filter{Search: "ops@"}, ""},
		{"one label", filter{Labels: map[string]string{"ring": "early"}}, "acme bravo delta foxtro golf"},
		{"two labels", filter{Labels: map[string]string{"ring": "early", "team": "red"}}, "acme delta foxtro golf"},
		{"label of other case", filter{Labels: map[string]string{"ring": "Early"}}, ""},
		{"label without value", filter{Labels: map[string]string{"ring": ""}}, ""},
		{"image", filter{Image: "wordpress"}, "acme bravo carol delta echo foxtro"},
		{"image and version", filter{Image: "wordpress", Version: "7"}, "foxtro"},
		{"plan", filter{Plan: "large"}, "delta"},
		{"member", filter{Member: "n2"}, "carol"},
		{"desired", filter{Desired: []fleet.Desired{fleet.DesiredRemoved, fleet.DesiredStopped}}, "delta echo"},
		{"after", filter{After: "delta"}, "echo foxtro golf"},
		{"after a name that is not there", filter{After: "dd"}, "delta echo foxtro golf"},
		{"down", filter{Down: true}, "golf foxtro echo delta carol bravo acme"},
		{"down after", filter{Down: true, After: "carol"}, "bravo acme"},
		{"label down after", filter{Labels: map[string]string{"ring": "early"}, Down: true, After: "delta"}, "bravo acme"},
		{"names", filter{Names: []fleet.Name{"golf", "acme", "nobody"}}, "acme golf"},
		{"no names", filter{Names: []fleet.Name{}}, ""},
		{"limit", filter{Limit: 2}, "acme bravo"},
		{"all at once", filter{
			Search: "a", Labels: map[string]string{"team": "red"}, Image: "wordpress", Version: "6.1-1", Plan: "small",
			Member: "n2", Desired: []fleet.Desired{fleet.DesiredRunning}, After: "b", Limit: 5,
		}, "carol"},
	} {
		t.Run(test.name, func(t *testing.T) {
			list := must(s.Tenants(ctx, test.filter))(t)
			same(t, "names", names(list), test.want)
			for _, tenant := range list {
				same(t, "whole tenant", tenant, must(s.Tenant(ctx, tenant.Name))(t))
			}
			if f := test.filter; f.After == "" && f.Limit == 0 && !f.Down { // in memory it leaves the same ones
				all := slices.DeleteFunc(must(s.Tenants(ctx, filter{}))(t), func(t fleet.Tenant) bool { return !f.Leaves(t) })
				same(t, "names in memory", names(all), test.want)
			}
		})
	}
}

func testTenantPages(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	fill(t, s, 105)
	byName := func(a, b fleet.Tenant) int { return cmp.Compare(a.Name, b.Name) }
	byCreated := func(a, b fleet.Tenant) int { return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), byName(a, b)) }
	for _, labels := range []map[string]string{nil, {"half": "0"}} {
		for order, compare := range map[fleet.TenantOrder]func(a, b fleet.Tenant) int{
			fleet.TenantsByName: byName, fleet.TenantsByCreated: byCreated,
		} {
			for _, down := range []bool{false, true} {
				filter := fleet.TenantFilter{Labels: labels, Order: order, Down: down}
				all := must(s.Tenants(ctx, filter))(t)
				var paged []fleet.Tenant
				for filter.Limit = 10; ; {
					page := must(s.Tenants(ctx, filter))(t)
					if len(page) == 0 {
						break
					}
					last := page[len(page)-1]
					paged, filter.After, filter.AfterCreated = append(paged, page...), last.Name, last.CreatedAt
				}
				same(t, "pages together", names(paged), names(all))
				if down {
					slices.Reverse(all)
				}
				if !slices.IsSortedFunc(all, compare) || len(all) < 50 {
					t.Errorf("by %q, not sorted: %s", order, names(all))
				}
			}
		}
	}
}

// fill inserts n tenants in few transactions.
func fill(tb testing.TB, s *Store, n int) {
	tb.Helper()
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	for part := range slices.Chunk(numbers, 500) {
		ok(tb, s.write(tb.Context(), "fill", func(tx *sqlx.Tx) error {
			for _, i := range part {
				tenant := aTenant(fmt.Sprintf("tenant-%05d", i))
				tenant.CreatedAt = at(i * 7 % 50)
				tenant.Labels["half"] = fmt.Sprint(i % 2)
				tenant.Labels["customer"] = fmt.Sprint(i / 3)
				row, err := toTenantRow(tenant)
				if err != nil {
					return err
				}
				if _, err := tx.NamedExecContext(tb.Context(), insertTenant, row); err != nil {
					return err
				}
				if err := index(tb.Context(), tx, tenant); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

type page struct {
	name   string
	filter fleet.TenantFilter
	want   int
}

// firstPages are the lists people look at most, and how many tenants of 10,000 they find.
func firstPages() []page {
	return []page{
		{"plain", fleet.TenantFilter{Limit: 50}, 50},
		{"search finds many", fleet.TenantFilter{Limit: 50, Search: "tenant"}, 50},
		{"search finds one", fleet.TenantFilter{Limit: 50, Search: "TENANT-09999.exa"}, 1},
		{"search finds none", fleet.TenantFilter{Limit: 50, Search: "nowhere"}, 0},
		{"label of all", fleet.TenantFilter{Limit: 50, Labels: map[string]string{"ring": "early"}}, 50},
		{"label of half", fleet.TenantFilter{Limit: 50, Labels: map[string]string{"half": "1"}}, 50},
		{"label of few", fleet.TenantFilter{Limit: 50, Labels: map[string]string{"customer": "3000"}}, 3},
		{"two labels", fleet.TenantFilter{Limit: 50, Labels: map[string]string{"customer": "3000", "half": "0"}}, 2},
		{"two labels of many", fleet.TenantFilter{Limit: 50, Labels: map[string]string{"ring": "early", "half": "0"}}, 50},
		{"member", fleet.TenantFilter{Limit: 50, Member: "n1"}, 50},
		{"no such image", fleet.TenantFilter{Limit: 50, Image: "none"}, 0},
		{"last page", fleet.TenantFilter{Limit: 50, After: "tenant-09990"}, 9},
	}
}

// testTenantTenThousand holds the lists to a bound that a missing index would break by far;
// the figures are BenchmarkTenantList's.
func testTenantTenThousand(t *testing.T, db database) {
	s := open(t, db)
	fill(t, s, 10_000)
	for _, page := range firstPages() {
		best := time.Hour
		for range 5 {
			began := time.Now()
			list := must(s.Tenants(t.Context(), page.filter))(t)
			best = min(best, time.Since(began))
			if len(list) != page.want {
				t.Fatalf("%s: %d tenants, want %d", page.name, len(list), page.want)
			}
		}
		if best > slower*100*time.Millisecond {
			t.Errorf("%s: %s for a first page of 10,000 tenants", page.name, best)
		}
	}
	if n := len(must(s.Tenants(t.Context(), fleet.TenantFilter{}))(t)); n != 10_000 {
		t.Errorf("%d tenants in all", n)
	}
}

func benchmarkTenantList(b *testing.B, db database) {
	s := open(b, db)
	fill(b, s, 10_000)
	pages := append(firstPages(), page{"all 10000", fleet.TenantFilter{}, 10_000})
	for _, page := range pages {
		b.Run(page.name, func(b *testing.B) {
			for b.Loop() {
				if list := must(s.Tenants(b.Context(), page.filter))(b); len(list) != page.want {
					b.Fatalf("%d tenants, want %d", len(list), page.want)
				}
			}
		})
	}
}
