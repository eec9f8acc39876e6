package proxy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func serving(domain, tenant, backend string) fleet.Route {
	return fleet.Route{Domain: fleet.Domain(domain), Tenant: fleet.Name(tenant), State: fleet.RouteServe, Backend: backend}
}

func held(domain, tenant string) fleet.Route {
	return fleet.Route{Domain: fleet.Domain(domain), Tenant: fleet.Name(tenant), State: fleet.RouteHold}
}

func stopped(domain, tenant string) fleet.Route {
	return fleet.Route{Domain: fleet.Domain(domain), Tenant: fleet.Name(tenant), State: fleet.RouteStopped}
}

func redirecting(domain, tenant, to string) fleet.Route {
	return fleet.Route{Domain: fleet.Domain(domain), Tenant: fleet.Name(tenant), State: fleet.RouteRedirect, Redirect: fleet.Domain(to), Code: 308}
}

func TestBuildTable(t *testing.T) {
	acme := serving("a.example", "acme", "10.0.0.1:80")
	odd := acme
	odd.State = "resting"
	for name, tc := range map[string]struct {
		in        []fleet.Route
		want      []fleet.Route
		conflicts []Conflict
	}{
		"empty": {},
		"sorted by domain": {
			in:   []fleet.Route{stopped("b.example", "globex"), acme},
			want: []fleet.Route{acme, stopped("b.example", "globex")},
		},
		"first of two tenants wins": {
			in:        []fleet.Route{acme, serving("a.example", "globex", "10.0.0.2:80")},
			want:      []fleet.Route{acme},
			conflicts: []Conflict{{Domain: "a.example", Kept: "acme", Refused: "globex"}},
		},
		"twice of one tenant is no conflict": {
			in:   []fleet.Route{acme, acme},
			want: []fleet.Route{acme},
		},
		"serving without a backend is held": {
			in:   []fleet.Route{serving("a.example", "acme", "")},
			want: []fleet.Route{held("a.example", "acme")},
		},
		"redirect and maintenance stay": {
			in: []fleet.Route{
				redirecting("a.example", "acme", "b.example"), {Domain: "c.example", Tenant: "acme", State: fleet.RouteMaintenance},
			},
			want: []fleet.Route{
				redirecting("a.example", "acme", "b.example"), {Domain: "c.example", Tenant: "acme", State: fleet.RouteMaintenance},
			},
		},
		"redirect to nowhere is held": {
			in:   []fleet.Route{redirecting("a.example", "acme", "")},
			want: []fleet.Route{{Domain: "a.example", Tenant: "acme", State: fleet.RouteHold, Code: 308}},
		},
		"redirect to itself is held": {
			in:   []fleet.Route{redirecting("a.example", "acme", "a.example")},
			want: []fleet.Route{{Domain: "a.example", Tenant: "acme", State: fleet.RouteHold, Redirect: "a.example", Code: 308}},
		},
		"two tenants with one wildcard": {
			in:        []fleet.Route{held("*.a.example", "acme"), held("*.a.example", "globex")},
			want:      []fleet.Route{held("*.a.example", "acme")},
			conflicts: []Conflict{{Domain: "*.a.example", Kept: "acme", Refused: "globex"}},
		},
		"unknown state is held": {
			in:   []fleet.Route{odd},
			want: []fleet.Route{{Domain: "a.example", Tenant: "acme", State: fleet.RouteHold, Backend: "10.0.0.1:80"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			table, conflicts := BuildTable(7, tc.in)
			if diff := cmp.Diff(tc.want, table.Routes()); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.conflicts, conflicts); diff != "" {
				t.Errorf("conflicts (-want +got):\n%s", diff)
			}
			if table.Generation() != 7 || table.Len() != len(tc.want) {
				t.Errorf("generation %d, length %d", table.Generation(), table.Len())
			}
		})
	}
}

func TestLookupWildcards(t *testing.T) {
	table, _ := BuildTable(1, []fleet.Route{
		held("client.example", "base"), held("*.client.example", "wild"), held("www.client.example", "exact"),
		held("*.shop.client.example", "deeper"), held("*.localhost", "local"),
	})
	for host, want := range map[string]fleet.Name{
		"client.example": "base", "www.client.example": "exact", "a.client.example": "wild", "shop.client.example": "wild",
		"a.shop.client.example": "deeper", "a.b.client.example": "", "a.www.client.example": "", "x.localhost": "local",
		"localhost": "", "example": "", "": "", ".client.example": "", "aclient.example": "",
	} {
		route, ok := table.Lookup(host)
		if route.Tenant != want || ok != (want != "") {
			t.Errorf("%q leads to %q, %v; want %q", host, route.Tenant, ok, want)
		}
	}
	if table.Len() != 5 {
		t.Errorf("length %d", table.Len())
	}
}

// A host's own route goes before a wildcard's, and a wildcard stands for one label: whatever the
// routes are, the table says what looking through all of them says.
func TestLookupAgainstTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.SampledFrom([]string{"a", "b", "c"})
		name := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(label, 1, 4).Draw(t, "labels"), ".") })
		var routes []fleet.Route
		for i := range rapid.IntRange(0, 12).Draw(t, "routes") {
			d := name.Draw(t, "domain")
			if rapid.Bool().Draw(t, "wildcard") {
				d = "*." + d
			}
			routes = append(routes, held(d, fmt.Sprintf("t%d", i)))
		}
		table, _ := BuildTable(1, routes)
		host := name.Draw(t, "host")
		_, parent, dotted := strings.Cut(host, ".")
		find := func(d string) fleet.Name {
			for _, r := range routes {
				if string(r.Domain) == d {
					return r.Tenant
				}
			}
			return ""
		}
		want := find(host)
		if want == "" && dotted {
			want = find("*." + parent)
		}
		if got, _ := table.Lookup(host); got.Tenant != want {
			t.Fatalf("%q leads to %q, want %q, with %v", host, got.Tenant, want, routes)
		}
	})
}

func TestTableFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes.json")
	if table, err := LoadTable(path); err != nil || table.Len() != 0 {
		t.Fatalf("a missing file: %d routes, %v", table.Len(), err)
	}
	routes := []fleet.Route{
		serving("a.example", "acme", "10.0.0.1:80"), stopped("b.example", "globex"), redirecting("*.a.example", "acme", "a.example"),
		{Domain: "c.example", Tenant: "c", State: fleet.RouteMaintenance, Maintenance: &fleet.Maintenance{Message: "m", Page: "p", Until: time.Unix(9, 0)}},
	}
	table, _ := BuildTable(12, routes)
	for range 2 { // the second replaces the first
		if err := SaveTable(path, table); err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := LoadTable(path)
	if err != nil || !loaded.same(table) || loaded.Generation() != 12 {
		t.Errorf("loaded %v of generation %d, %v", loaded.Routes(), loaded.Generation(), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestTableFileThatCannotBeUsed(t *testing.T) {
	future, err := json.Marshal(savedTable{Format: tableFormat + 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"empty": "", "cut off": `{"format":1,"routes":[{"dom`, "later format": string(future),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "routes.json")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if table, err := LoadTable(path); err == nil || table.Len() != 0 {
				t.Errorf("%d routes, error %v; want none and an error", table.Len(), err)
			}
		})
	}
	t.Run("no folder to save in", func(t *testing.T) {
		table, _ := BuildTable(1, nil)
		if err := SaveTable(filepath.Join(t.TempDir(), "missing", "routes.json"), table); err == nil {
			t.Error("no error")
		}
	})
}

func manyRoutes(n int) []fleet.Route {
	routes := make([]fleet.Route, n)
	for i := range routes {
		routes[i] = serving(fmt.Sprintf("www.client-%d.example", i), fmt.Sprintf("client-%d", i), fmt.Sprintf("10.%d.%d.%d:80", i>>16, i>>8&255, i&255))
	}
	return routes
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			routes := manyRoutes(n)
			table, _ := BuildTable(1, routes)
			// Hosts as requests bring them: strings of their own, just written, in an order in
			// which no cache holds the table's side.
			hosts := make([]string, n)
			for i := range hosts {
				hosts[i] = strings.Clone(string(routes[i*7919%n].Domain))
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok := table.Lookup(hosts[i]); !ok {
					b.Fatal("not found")
				}
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}

// Hosts below wildcards, among as many hosts of their own.
func BenchmarkLookupWildcard(b *testing.B) {
	routes := manyRoutes(100_000)
	for i := range routes {
		if i%2 == 0 {
			routes[i].Domain = fleet.Domain(fmt.Sprintf("*.client-%d.example", i))
		}
	}
	table, _ := BuildTable(1, routes)
	hosts := make([]string, len(routes))
	for i := range hosts {
		hosts[i] = fmt.Sprintf("www.client-%d.example", i*7919%len(routes))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, ok := table.Lookup(hosts[i]); !ok {
			b.Fatal("not found")
		}
		if i++; i == len(hosts) {
			i = 0
		}
	}
}

func BenchmarkBuildTable(b *testing.B) {
	routes := manyRoutes(100_000)
	b.ReportAllocs()
	for b.Loop() {
		BuildTable(1, routes)
	}
}

func BenchmarkPublish(b *testing.B) {
	first, _ := BuildTable(0, nil)
	r := newRouter(first, testLimits, nil, discard)
	routes := manyRoutes(100_000)
	b.ReportAllocs()
	for b.Loop() {
		routes[0].Backend = fmt.Sprintf("10.9.9.9:%d", b.N)
		r.Publish(routes)
	}
}
