package api_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// listed reads a list, by pages of the size given (0: in one).
func listed(t *testing.T, c *contract, path string, size int) (ids []string, cursors []string) {
	t.Helper()
	next := ""
	for {
		query := ""
		if size > 0 {
			query = fmt.Sprintf("&limit=%d&cursor=%s", size, url.QueryEscape(next))
		}
		w := c.check(t, request{method: "GET", path: path + query, status: 200})
		var page struct {
			Items []struct{ ID, Name string }
			Next  string `json:"next_cursor"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			ids = append(ids, item.ID+item.Name)
		}
		if next = page.Next; next == "" {
			return ids, cursors
		}
		cursors = append(cursors, next)
	}
}

// Pages hold the same as the whole list, in each order, and the other way round is the other way
// round; a cursor is good in its own order only.
func TestSortedPages(t *testing.T) {
	f := apifake.New()
	for i := range 5 {
		if _, err := f.Jobs.Submit("tenant.create", fmt.Sprintf("tenant/t%d", i), map[string]any{}, tenants.Once{}); err != nil {
			t.Fatal(err)
		}
	}
	c := newContract(t, f)
	for path, keys := range map[string][]string{
		"/v1/tenants?": {"name", "created", "status"}, "/v1/jobs?": {"created"}, "/v1/backups?": {"taken"},
	} {
		made := map[string]string{} // cursor by order
		for _, key := range keys {
			up, _ := listed(t, c, path+"sort="+key, 0)
			down, _ := listed(t, c, path+"sort=-"+key, 0)
			slices.Reverse(down)
			if !slices.Equal(up, down) || len(up) < 2 {
				t.Errorf("%s by %s: %v, and the other way round %v", path, key, up, down)
			}
			for _, sort := range []string{key, "-" + key} {
				whole, _ := listed(t, c, path+"sort="+sort, 0)
				paged, cursors := listed(t, c, path+"sort="+sort, 1)
				if !slices.Equal(whole, paged) || len(cursors) == 0 {
					t.Errorf("%s by %s: pages %v, whole %v", path, sort, paged, whole)
					continue
				}
				made[sort] = cursors[0]
			}
		}
		for of, cursor := range made {
			for in := range made {
				if of != in {
					c.check(t, request{method: "GET", path: path + "sort=" + in + "&cursor=" + url.QueryEscape(cursor), status: 400, code: "invalid", field: "cursor"})
				}
			}
		}
	}
	for path, field := range map[string]string{
		"/v1/tenants?sort=size": "sort", "/v1/jobs?sort=kind": "sort", "/v1/backups?sort=created": "sort", "/v1/tenants/acme/snapshots?sort=taken": "sort",
		"/v1/tenants?status=asleep": "status", "/v1/jobs?state=asleep": "state", "/v1/backups?consistency=good": "consistency",
		"/v1/tenants/acme/snapshots?origin=me": "origin", "/v1/tenants/acme/snapshots?consistency=good": "consistency",
	} {
		c.check(t, request{method: "GET", path: path, status: 400, code: "invalid", field: field})
	}
}

func TestSnapshotFilter(t *testing.T) {
	c := newContract(t, apifake.New())
	all, _ := listed(t, c, "/v1/tenants/acme/snapshots?", 0)
	down, _ := listed(t, c, "/v1/tenants/acme/snapshots?sort=-created", 0)
	slices.Reverse(down)
	if len(all) < 2 || !slices.Equal(all, down) {
		t.Errorf("all %v, the other way round %v", all, down)
	}
	var parts []string
	for _, origin := range []string{"manual", "policy", "safety", "backup", "lxc"} {
		some, _ := listed(t, c, "/v1/tenants/acme/snapshots?origin="+origin, 0)
		parts = append(parts, some...)
	}
	slices.Sort(parts)
	names, _ := listed(t, c, "/v1/tenants/acme/snapshots?sort=name", 0)
	if !slices.Equal(parts, names) {
		t.Errorf("by origin %v, all by name %v", parts, names)
	}
	for _, query := range []string{"from=2100-01-01T00:00:00Z", "to=2000-01-01T00:00:00Z", "policy=none"} {
		if none, _ := listed(t, c, "/v1/tenants/acme/snapshots?"+query, 0); len(none) != 0 {
			t.Errorf("%s: %v", query, none)
		}
	}
}
