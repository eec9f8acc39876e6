//go:build integration

package integration

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// aBackup is what a test wants to know of one.
type aBackup struct {
	ID     string `json:"id"`
	Tenant string `json:"tenant"`
}

// backups lists those of a tenant, newest first.
func (w *world) backups(tenant string) []aBackup {
	w.t.Helper()
	var list struct {
		Items []aBackup `json:"items"`
	}
	if status, raw := w.call(http.MethodGet, "/v1/backups?tenant="+tenant, nil, &list); status != http.StatusOK {
		w.t.Fatalf("backups of %s: %d %s", tenant, status, raw)
	}
	return list.Items
}

// prepareBackup makes a tenant and a backup of it.
func prepareBackup(w *world, name string) {
	w.create(name)
	w.done(w.submit(http.MethodPost, "/v1/backups", map[string]any{"tenant": name}))
}

// noSnapshot checks that no job has left a snapshot or an image of its own.
func noSnapshot(w *world, names ...string) {
	w.t.Helper()
	for _, name := range names {
		if left := w.lxc("info", name); strings.Contains(left, "lxdfleet-backup") {
			w.t.Fatalf("a snapshot is left: %s", left)
		}
	}
	if left := strings.Fields(w.lxc("image", "list", "-f", "csv", "-c", "F")); len(left) != 1 {
		w.t.Fatalf("images: %v", left)
	}
}

// dropSafety deletes the snapshots that restores of a tenant have taken before, with which the
// instances go that have them, and gives how many there were.
func dropSafety(w *world, tenant string) int {
	w.t.Helper()
	var list struct {
		Items []struct {
			Name string `json:"name"`
		} `json:"items"`
	}
	path := "/v1/tenants/" + tenant + "/snapshots"
	if status, raw := w.call(http.MethodGet, path, nil, &list); status != http.StatusOK {
		w.t.Fatalf("snapshots of %s: %d %s", tenant, status, raw)
	}
	for _, n := range list.Items {
		w.done(w.submit(http.MethodDelete, path+"/"+n.Name, nil))
	}
	if got := w.instances(); !slices.Equal(got, []string{tenant}) {
		w.t.Fatalf("instances without snapshots: %v", got)
	}
	return len(list.Items)
}

// newest is the id of a tenant's newest backup, as long as the daemon tells it.
func newest(w *world, name string, ids map[string]string) string {
	w.t.Helper()
	if ids[name] == "" {
		if list := w.backups(name); len(list) > 0 {
			ids[name] = list[0].ID
		}
	}
	return ids[name]
}

func backupKillCases() map[string]killCase {
	ids := map[string]map[string]string{"backup.restore": {}, "backup.clone": {}, "backup.delete": {}, "backup.verify": {}}
	prepared := func(kind string) func(*world, string) {
		return func(w *world, name string) {
			prepareBackup(w, name)
			newest(w, name, ids[kind])
		}
	}
	postTo := func(path string, body func(name string) any) func(*world, string) {
		return func(w *world, name string) { w.call(http.MethodPost, path, body(name), nil) }
	}
	ofIt := func(name string) any { return map[string]any{"tenant": name} }
	serving := func(w *world, name string) {
		w.t.Helper()
		serves(w, name)
		noSnapshot(w, name)
	}
	return map[string]killCase{
		"backup.create": {
			prepare: prepareTenant, submit: postTo("/v1/backups", ofIt), clean: purge,
			subject: func(name string) string { return "backup/" + name },
			check: func(w *world, name string) {
				w.t.Helper()
				serving(w, name)
				if got := w.backups(name); len(got) == 0 {
					w.t.Fatal("there is no backup")
				}
			},
		},
		"backup.restore": {
			prepare: prepared("backup.restore"), subject: ofTenant, clean: purge,
			submit: func(w *world, name string) {
				w.call(http.MethodPost, "/v1/backups/"+ids["backup.restore"][name]+"/restore", map[string]any{}, nil)
			},
			check: func(w *world, name string) {
				w.t.Helper()
				if dropSafety(w, name) == 0 {
					w.t.Fatal("what the tenant was before is no snapshot")
				}
				serving(w, name)
			},
		},
		"backup.clone": {
			prepare: prepared("backup.clone"), subject: func(name string) string { return ofTenant(name + "c") },
			submit: func(w *world, name string) {
				w.call(http.MethodPost, "/v1/backups/"+ids["backup.clone"][name]+"/restore",
					map[string]any{"into": name + "c", "domains": []string{name + "c.localhost"}}, nil)
			},
			check: func(w *world, name string) {
				w.t.Helper()
				eventuallyStatus(w, name+"c", "running")
				eventuallyPage(w, name+"c.localhost", "tenant="+name+"c")
				if got := w.instances(); !slices.Equal(got, []string{name, name + "c"}) {
					w.t.Fatalf("instances: %v", got)
				}
				noSnapshot(w, name, name+"c")
			},
			clean: func(w *world, name string) {
				w.done(w.submit(http.MethodDelete, "/v1/tenants/"+name+"c?now=true", nil))
				purge(w, name)
			},
		},
		"backup.delete": {
			prepare: prepared("backup.delete"), clean: purge,
			subject: func(name string) string { return "backup-id/" + ids["backup.delete"][name] },
			submit: func(w *world, name string) {
				w.call(http.MethodDelete, "/v1/backups/"+ids["backup.delete"][name], nil, nil)
			},
			check: func(w *world, name string) {
				w.t.Helper()
				if got := w.backups(name); len(got) != 0 {
					w.t.Fatalf("backups: %+v", got)
				}
			},
		},
		"backup.verify": {
			prepare: prepared("backup.verify"), clean: purge, check: serving,
			subject: func(name string) string { return "backup-id/" + ids["backup.verify"][name] },
			submit: func(w *world, name string) {
				w.call(http.MethodPost, "/v1/backups/verify", map[string]any{"backup": ids["backup.verify"][name], "deep": true}, nil)
			},
		},
		"backup.prune": {
			prepare: prepareBackup, submit: postTo("/v1/backups/prune", func(string) any { return nil }), clean: purge,
			subject: func(string) string { return "backups/prune" },
			check: func(w *world, name string) {
				w.t.Helper()
				serving(w, name)
				if got := w.backups(name); len(got) != 1 {
					w.t.Fatalf("backups: %+v", got)
				}
			},
		},
		"backup.drill": {
			prepare: prepareBackup, submit: postTo("/v1/drills", ofIt), clean: purge,
			subject: func(name string) string { return "drill/" + name },
			check: func(w *world, name string) {
				w.t.Helper()
				serving(w, name)
				var list struct {
					Items []struct {
						Passed bool `json:"passed"`
					} `json:"items"`
				}
				w.call(http.MethodGet, "/v1/drills?tenant="+name, nil, &list)
				if len(list.Items) == 0 || !list.Items[0].Passed {
					w.t.Fatalf("drills: %+v", list.Items)
				}
			},
		},
		"backup.image": {
			prepare: func(w *world, name string) {
				prepareTenant(w, name)
				w.done(w.submit(http.MethodPost, "/v1/backups/control", nil))
				purge(w, name)
				w.done(w.submit(http.MethodDelete, "/v1/images/tiny/1", nil))
			},
			submit:  postTo("/v1/backups/recover", func(string) any { return map[string]any{"tenants": []string{}} }),
			subject: func(string) string { return "image/tiny" },
			check: func(w *world, name string) {
				w.t.Helper()
				w.create(name)
				serves(w, name)
				noSnapshot(w, name)
			},
			clean: purge,
		},
		"backup.control": {
			prepare: prepareTenant, submit: postTo("/v1/backups/control", func(string) any { return nil }), clean: purge,
			subject: func(string) string { return "backups/control" },
			check: func(w *world, name string) {
				w.t.Helper()
				serving(w, name)
				var status struct {
					LastControl time.Time `json:"last_control"`
				}
				if code, raw := w.call(http.MethodGet, "/v1/backups/status", nil, &status); code != http.StatusOK || status.LastControl.IsZero() {
					w.t.Fatalf("status: %d %s", code, raw)
				}
			},
		},
	}
}
