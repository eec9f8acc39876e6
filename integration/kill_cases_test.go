//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func ofTenant(name string) string { return "tenant/" + name }

func ofImage(name string) string { return "image/" + name }

// purge removes a tenant and checks that nothing of it is left.
func purge(w *world, name string) {
	w.t.Helper()
	w.done(w.submit(http.MethodDelete, "/v1/tenants/"+name+"?now=true", nil))
	w.hasOnly()
}

// hasOnly waits until these are the project's only instances: an image that was just made is
// unpacked ahead by ones that live shortly.
func (w *world) hasOnly(names ...string) {
	w.t.Helper()
	eventually(w.t, time.Minute, fmt.Sprintf("the only instances are %v", names), func() bool {
		return slices.Equal(w.instances(), append([]string{}, names...))
	})
}

func prepareTenant(w *world, name string) { w.create(name) }

func prepareStopped(w *world, name string) {
	w.create(name)
	w.done(w.submit(http.MethodPost, "/v1/tenants/"+name+"/stop", nil))
}

func prepareRemoved(w *world, name string) {
	w.create(name)
	w.done(w.submit(http.MethodDelete, "/v1/tenants/"+name, nil))
}

func nothing(*world, string) {}

// prepareSnapshot makes a tenant with the snapshot one, whose page has changed since.
func prepareSnapshot(w *world, name string) {
	w.t.Helper()
	w.create(name)
	w.says(name, "tenant="+name+" says one")
	w.done(w.submit(http.MethodPost, "/v1/tenants/"+name+"/snapshots", map[string]any{"name": "one"}))
	w.says(name, "tenant="+name+" says now")
}

func hasSnapshots(w *world, name string, want ...string) {
	w.t.Helper()
	if got := w.snapshotNames(name); !slices.Equal(got, want) {
		w.t.Fatalf("snapshots %v, want %v", got, want)
	}
	list, err := lxc("query", "/1.0/instances/"+name+"/snapshots?project="+w.project)
	if got := strings.Count(list, "/snapshots/"); err != nil || got != len(want) {
		w.t.Fatalf("LXD has %d snapshots of %s, want %v: %v", got, name, want, err)
	}
}

// post asks for an action on a tenant. The daemon may be killed before it answers.
func post(action string, body any) func(*world, string) {
	return func(w *world, name string) { w.call(http.MethodPost, "/v1/tenants/"+name+"/"+action, body, nil) }
}

func remove(query string) func(*world, string) {
	return func(w *world, name string) { w.call(http.MethodDelete, "/v1/tenants/"+name+query, nil, nil) }
}

func isStatus(status string) func(*world, string) {
	return func(w *world, name string) {
		w.t.Helper()
		eventuallyStatus(w, name, status)
	}
}

func eventuallyStatus(w *world, name, status string) {
	w.t.Helper()
	eventually(w.t, time.Minute, name+" is "+status, func() bool { return string(w.tenant(name).Status) == status })
}

// eventuallyPage waits for a page: a daemon that was just started knows what it saved before it
// was killed, and the rest with its first look at LXD.
func eventuallyPage(w *world, domain, text string) {
	w.t.Helper()
	eventually(w.t, time.Minute, domain+" is served", func() bool {
		status, body := w.page(domain)
		return status == http.StatusOK && strings.Contains(body, text)
	})
}

func serves(w *world, name string) {
	w.t.Helper()
	eventuallyStatus(w, name, "running")
	eventuallyPage(w, name+".localhost", "tenant="+name)
	w.hasOnly(name)
}

func killCases() map[string]killCase {
	return map[string]killCase{
		"tenant.create": {
			prepare: nothing, subject: ofTenant, check: serves, clean: purge,
			submit: func(w *world, name string) {
				w.call(http.MethodPost, "/v1/tenants", map[string]any{"name": name, "image": "tiny", "domains": []string{name + ".localhost"}}, nil)
			},
		},
		"snapshot.create": {
			prepare: prepareTenant, subject: ofTenant, clean: purge,
			submit: func(w *world, name string) {
				w.call(http.MethodPost, "/v1/tenants/"+name+"/snapshots", map[string]any{"name": "one"}, nil)
			},
			check: func(w *world, name string) { w.t.Helper(); serves(w, name); hasSnapshots(w, name, "one") },
		},
		"snapshot.delete": {
			prepare: prepareSnapshot, submit: remove("/snapshots/one"), subject: ofTenant, clean: purge,
			check: func(w *world, name string) { w.t.Helper(); serves(w, name); hasSnapshots(w, name) },
		},
		"snapshot.restore": {
			prepare: prepareSnapshot, submit: post("snapshots/one/restore", nil), subject: ofTenant, clean: purge,
			check: func(w *world, name string) {
				w.t.Helper()
				serves(w, name)
				eventuallyPage(w, name+".localhost", "says one")
				if names := w.snapshotNames(name); len(names) != 2 || names[0] != "one" {
					w.t.Fatalf("snapshots %v", names)
				}
			},
		},
		"snapshot.clone": {
			prepare: func(w *world, name string) { prepareSnapshot(w, name+"-o") }, subject: ofTenant,
			submit: func(w *world, name string) {
				w.call(http.MethodPost, "/v1/tenants/"+name+"-o/snapshots/one/clone", map[string]any{"name": name, "domains": []string{name + ".localhost"}}, nil)
			},
			check: func(w *world, name string) {
				w.t.Helper()
				eventuallyStatus(w, name, "running")
				eventuallyPage(w, name+".localhost", "tenant="+name+" ")
			},
			clean: func(w *world, name string) {
				w.t.Helper()
				w.done(w.submit(http.MethodDelete, "/v1/tenants/"+name+"-o?now=true", nil))
				purge(w, name)
			},
		},
		"tenant.start":   {prepare: prepareStopped, submit: post("start", nil), subject: ofTenant, check: serves, clean: purge},
		"tenant.stop":    {prepare: prepareTenant, submit: post("stop", nil), subject: ofTenant, check: isStatus("stopped"), clean: purge},
		"tenant.restart": {prepare: prepareTenant, submit: post("restart", nil), subject: ofTenant, check: serves, clean: purge},
		"tenant.remove":  {prepare: prepareTenant, submit: remove(""), subject: ofTenant, check: isStatus("removed"), clean: purge},
		"tenant.undelete": {
			prepare: prepareRemoved, submit: post("undelete", nil), subject: ofTenant, check: serves, clean: purge,
		},
		"tenant.purge": {
			prepare: prepareTenant, submit: remove("?now=true"), subject: ofTenant, clean: nothing,
			check: func(w *world, name string) {
				w.t.Helper()
				if got := w.tenant(name); got.Name != "" || len(w.instances()) != 0 {
					w.t.Fatalf("tenant %+v, instances %v", got, w.instances())
				}
			},
		},
		"tenant.resize": {
			prepare: prepareTenant, submit: post("resize", map[string]any{"plan": "medium"}), subject: ofTenant, clean: purge,
			check: func(w *world, name string) {
				w.t.Helper()
				serves(w, name)
				if got := w.tenant(name).Plan; got != "medium" {
					w.t.Fatalf("plan %s", got)
				}
				if got := w.lxc("profile", "show", "medium"); !strings.Contains(got, "/"+name) {
					w.t.Fatalf("the instance does not use the profile:\n%s", got)
				}
			},
		},
		"tenant.adopt": {
			prepare: launch, subject: ofTenant, clean: purge,
			submit: func(w *world, name string) {
				w.call(http.MethodPost, "/v1/adoptable/"+name+"/adopt", map[string]any{
					"plan": "small", "domains": []string{name + ".localhost"},
					"health": map[string]any{"port": 80, "path": "/", "timeout": "20s"},
				}, nil)
			},
			check: func(w *world, name string) {
				w.t.Helper()
				eventuallyStatus(w, name, "running")
				eventuallyPage(w, name+".localhost", "golden")
			},
		},
		"image.build":  {prepare: nothing, submit: buildImage, subject: ofImage, check: imageWorks, clean: removeImage},
		"image.import": {prepare: nothing, submit: importImage, subject: ofImage, check: imageWorks, clean: removeImage},
		"image.delete": {
			prepare: func(w *world, name string) { w.must("image", "build", recipeFile(w, name)) }, subject: ofImage, clean: nothing,
			submit: func(w *world, name string) { w.call(http.MethodDelete, "/v1/images/"+name+"/1", nil, nil) },
			check: func(w *world, name string) {
				w.t.Helper()
				if status, raw := w.call(http.MethodGet, "/v1/images/"+name+"/1", nil, nil); status != http.StatusNotFound {
					w.t.Fatalf("the image is left: %d %s", status, raw)
				}
				if aliases := w.lxc("image", "alias", "list", "-f", "csv"); strings.Contains(aliases, name) {
					w.t.Fatalf("an alias is left:\n%s", aliases)
				}
			},
		},
	}
}

// recipeFile writes a recipe whose image differs for each name.
func recipeFile(w *world, name string) string {
	w.t.Helper()
	file := filepath.Join(w.dir, name+".yaml")
	text := "name: " + name + `
version: "1"
base: {image: tiny/1}
steps:
  - {name: mark, run: "echo ` + name + ` >/etc/mark"}
http: {port: 80}
health: {path: /, status: 200, body: "tenant=", timeout: 30s}
hooks:
  personalize:
    run: |
      #!/bin/sh
      set -e
      [ -s /etc/machine-id ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >/etc/machine-id
      echo "tenant=$LXDFLEET_TENANT mark=$(cat /etc/mark)" >/www/index.html
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return file
}

func buildImage(w *world, name string) {
	// The command waits for the job; the daemon may die under it.
	cmd := exec.CommandContext(w.t.Context(), binary, "--config", w.configFile(), "image", "build", "--no-wait", recipeFile(w, name))
	_ = cmd.Run()
}

// importImage imports an image of another content than the one that is there: LXD knows an
// image by its content.
func importImage(w *world, name string) {
	cmd := exec.CommandContext(w.t.Context(), binary, "--config", w.configFile(), "image", "import", "--no-wait", w.tinyImage(name), name+"/1")
	_ = cmd.Run()
}

// imageWorks checks that an image is there, unpacked everywhere, and makes good tenants.
func imageWorks(w *world, name string) {
	w.t.Helper()
	var image client.Image
	if status, raw := w.call(http.MethodGet, "/v1/images/"+name, nil, &image); status != http.StatusOK || !image.Current {
		w.t.Fatalf("image %s: %d %s", name, status, raw)
	}
	if len(image.Members) != 3 {
		w.t.Fatalf("unpacked on %v", image.Members)
	}
	if left := w.instances(); len(left) != 0 {
		w.t.Fatalf("instances left: %v", left)
	}
	w.done(w.submit(http.MethodPost, "/v1/tenants", map[string]any{"name": "t", "image": name, "domains": []string{"t.localhost"}}))
	eventuallyPage(w, "t.localhost", "tenant=t")
	purge(w, "t")
}

func removeImage(w *world, name string) {
	w.t.Helper()
	w.done(w.submit(http.MethodDelete, "/v1/images/"+name+"/1", nil))
}

// prepareOnFirst makes a tenant on the first member, by name.
func prepareOnFirst(w *world, name string) {
	w.t.Helper()
	w.place(name, "--member", "n1", "--domain", name+".localhost")
}

// servesOn checks that the tenant runs on one of the members, and nothing else of it is left.
func servesOn(members ...string) func(*world, string) {
	return func(w *world, name string) {
		w.t.Helper()
		serves(w, name)
		if now := w.tenant(name); !slices.Contains(members, now.Location) || now.Member != now.Location {
			w.t.Fatalf("%s is on %s, and meant to be on %s", name, now.Location, now.Member)
		}
	}
}

// moveKillCases are those of jobs that move tenants.
func moveKillCases() map[string]killCase {
	ofMember := func(string) string { return "member/n1" }
	reopen := func(w *world, name string) {
		w.t.Helper()
		w.must("member", "uncordon", "n1")
		purge(w, name)
	}
	return map[string]killCase{
		"tenant.move": {
			prepare: prepareOnFirst, submit: post("move", map[string]any{"to": "n2"}), subject: ofTenant, check: servesOn("n2"), clean: purge,
		},
		"tenant.move-later": {
			prepare: prepareOnFirst, subject: func(name string) string { return "planned/" + name }, check: servesOn("n2"), clean: purge,
			submit: func(w *world, name string) {
				w.call(http.MethodPost, "/v1/tenants/"+name+"/move", map[string]any{"to": "n2", "at": time.Now().Format(time.RFC3339)}, nil)
			},
		},
		"member.drain": {
			prepare: prepareOnFirst, subject: ofMember, check: servesOn("n2", "n3"), clean: reopen,
			submit: func(w *world, _ string) { w.call(http.MethodPost, "/v1/members/n1/drain", map[string]any{}, nil) },
		},
		"member.restore": {
			prepare: func(w *world, name string) {
				prepareOnFirst(w, name)
				w.must("member", "drain", "n1")
			},
			subject: ofMember, check: servesOn("n1"), clean: purge,
			submit: func(w *world, _ string) { w.call(http.MethodPost, "/v1/members/n1/restore", map[string]any{}, nil) },
		},
		"tenant.bulk": {
			prepare: func(w *world, name string) {
				w.create(name)
				w.create(name + "x")
			},
			submit: func(w *world, name string) {
				w.call(http.MethodPost, "/v1/bulk", map[string]any{"action": "restart", "tenants": []string{name, name + "x"}, "at_once": 1}, nil,
					"Idempotency-Key", "bulk-"+name)
			},
			// Each has a subject of its own: the newest job of the kind is meant.
			subject: func(string) string { return "" },
			check: func(w *world, name string) {
				w.t.Helper()
				for _, one := range []string{name, name + "x"} {
					eventuallyStatus(w, one, "running")
					eventuallyPage(w, one+".localhost", "tenant="+one)
					var list client.JobList
					w.call(http.MethodGet, "/v1/jobs?kind=tenant.restart&subject=tenant/"+one, nil, &list)
					if len(list.Items) != 1 {
						w.t.Fatalf("%s was restarted %d times", one, len(list.Items))
					}
				}
			},
			clean: func(w *world, name string) {
				w.t.Helper()
				w.done(w.submit(http.MethodDelete, "/v1/tenants/"+name+"x?now=true", nil))
				purge(w, name)
			},
		},
		"fleet.rebalance": {
			// It wishes to be elsewhere than it is.
			prepare: func(w *world, name string) {
				prepareOnFirst(w, name)
				w.must("member", "label", "n3", "disk=nvme")
				w.must("tenant", "set", name, "require=disk=nvme")
			},
			subject: func(string) string { return "fleet" }, check: servesOn("n3"), clean: purge,
			submit: func(w *world, _ string) { w.call(http.MethodPost, "/v1/rebalance", map[string]any{}, nil) },
		},
	}
}

// launch makes an instance as an operator does, who starts it once more where LXD has failed to.
func launch(w *world, name string) {
	w.t.Helper()
	w.lxc("init", "tiny", name)
	eventually(w.t, time.Minute, name+" is launched", func() bool {
		_, _ = lxc("--project", w.project, "start", name)
		return strings.TrimSpace(w.lxc("list", "^"+name+"$", "-f", "csv", "-c", "s")) == "RUNNING"
	})
}
