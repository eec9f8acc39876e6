//go:build integration

package integration

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// TestTenantLife walks the life of a tenant with the command line alone.
func TestTenantLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	for _, name := range []string{"acme", "globex"} {
		out := w.must("tenant", "create", name, "--image", "tiny", "--domain", name+".localhost", "--plan", "small")
		if !strings.Contains(out, name+".localhost") {
			t.Errorf("tenant create does not say where %s is served:\n%s", name, out)
		}
	}
	_, acme := w.page("acme.localhost")
	_, globex := w.page("globex.localhost")
	if !strings.Contains(acme, "tenant=acme domain=acme.localhost") || !strings.Contains(globex, "tenant=globex") {
		t.Fatalf("pages: %q and %q", acme, globex)
	}
	if machine(acme) == "" || machine(acme) == machine(globex) {
		t.Errorf("machine ids: %q and %q", machine(acme), machine(globex))
	}
	one := w.must("tenant", "exec", "acme", "--", "cat", "/root/lxdfleet-credentials")
	two := w.must("tenant", "exec", "globex", "--", "cat", "/root/lxdfleet-credentials")
	if len(one) < 32 || one == two {
		t.Errorf("credentials: %d and %d characters, the same: %v", len(one), len(two), one == two)
	}
	if log := w.daemon.log.tail(10000); strings.Contains(log, strings.TrimSpace(one)) {
		t.Error("a secret is in the daemon's log")
	}

	w.must("tenant", "stop", "acme")
	if status, _ := w.page("acme.localhost"); status != http.StatusServiceUnavailable {
		t.Errorf("page of a stopped tenant: %d", status)
	}
	w.must("tenant", "start", "acme")
	w.wantPage("acme.localhost", "tenant=acme")
	w.must("tenant", "restart", "acme")
	w.wantPage("acme.localhost", "tenant=acme")

	w.must("tenant", "delete", "acme")
	if status, _ := w.strangersPage("acme.localhost"); status != http.StatusNotFound {
		t.Errorf("page of a deleted tenant: %d", status)
	}
	if got := w.tenant("acme"); got.Status != "removed" || got.PurgeAt.IsZero() {
		t.Errorf("deleted tenant: status %s, purge at %v", got.Status, got.PurgeAt)
	}
	w.must("tenant", "undelete", "acme")
	w.wantPage("acme.localhost", "tenant=acme")

	w.must("tenant", "delete", "acme", "--now")
	w.must("tenant", "delete", "globex", "--now")
	if left := w.instances(); len(left) != 0 {
		t.Errorf("instances left: %v", left)
	}
	// The names and domains are free again.
	w.must("tenant", "create", "acme", "--image", "tiny", "--domain", "globex.localhost")
}

func machine(page string) string {
	_, id, _ := strings.Cut(page, "machine=")
	return strings.TrimSpace(id)
}

// wantPage fails the test unless the page is good and contains text.
func (w *world) wantPage(domain, text string) {
	w.t.Helper()
	if status, body := w.page(domain); status != http.StatusOK || !strings.Contains(body, text) {
		w.t.Fatalf("https://%s/: %d %q, want %q", domain, status, body, text)
	}
}

func TestTrashIsEmptiedInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings["tenants"] = "  trash_for: 3s\n"
	w.up()
	w.create("acme")
	w.must("tenant", "delete", "acme")
	if got := w.tenant("acme"); got.Status != "removed" {
		t.Fatalf("status %q", got.Status)
	}
	eventually(t, time.Minute, "the trash is emptied", func() bool {
		return w.tenant("acme").Name == "" && len(w.instances()) == 0
	})
}

func TestSameCreateTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	body := map[string]any{"name": "acme", "image": "tiny", "domains": []string{"acme.localhost"}}

	type answer struct {
		status int
		raw    string
	}
	ask := func(key ...string) []answer {
		var header []string
		if len(key) > 0 {
			header = []string{"Idempotency-Key", key[0]}
		}
		answers := make([]answer, 2)
		var group sync.WaitGroup
		for i := range answers {
			group.Go(func() {
				answers[i].status, answers[i].raw = w.call(http.MethodPost, "/v1/tenants", body, nil, header...)
			})
		}
		group.Wait()
		return answers
	}

	t.Run("with one key they are one", func(t *testing.T) {
		answers := ask("onboarding-17")
		var jobs [2]client.Job
		for i, a := range answers {
			if a.status != http.StatusAccepted {
				t.Fatalf("%d %s", a.status, a.raw)
			}
			if err := json.Unmarshal([]byte(a.raw), &jobs[i]); err != nil {
				t.Fatal(err)
			}
		}
		if jobs[0].Id != jobs[1].Id {
			t.Errorf("two jobs: %s and %s", jobs[0].Id, jobs[1].Id)
		}
		w.done(jobs[0])
	})
	t.Run("the key with another request is refused", func(t *testing.T) {
		other := map[string]any{"name": "other", "image": "tiny", "domains": []string{"other.localhost"}}
		if status, raw := w.call(http.MethodPost, "/v1/tenants", other, nil, "Idempotency-Key", "onboarding-17"); status != http.StatusConflict {
			t.Errorf("%d %s", status, raw)
		}
	})
	t.Run("without a key one is refused", func(t *testing.T) {
		body["name"], body["domains"] = "globex", []string{"globex.localhost"}
		answers := ask()
		accepted := 0
		for _, a := range answers {
			switch a.status {
			case http.StatusAccepted:
				accepted++
				var job client.Job
				if err := json.Unmarshal([]byte(a.raw), &job); err != nil {
					t.Fatal(err)
				}
				w.done(job)
			case http.StatusConflict:
			default:
				t.Errorf("%d %s", a.status, a.raw)
			}
		}
		if accepted != 1 {
			t.Errorf("%d of two were accepted: %+v", accepted, answers)
		}
		w.wantPage("globex.localhost", "tenant=globex")
	})
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.create("acme")
	before := w.instances()
	tests := []struct {
		name   string
		args   []string
		says   []string // all of them, in what the command prints
		status int
	}{
		{"name with capitals", []string{"tenant", "create", "Acme", "--image", "tiny", "--domain", "x.localhost"}, []string{"Acme", "lower-case"}, 1},
		{"name taken", []string{"tenant", "create", "acme", "--image", "tiny", "--domain", "x.localhost"}, []string{"acme"}, 1},
		{"domain taken", []string{"tenant", "create", "other", "--image", "tiny", "--domain", "acme.localhost"}, []string{"acme.localhost", "acme"}, 1},
		{"domain with scheme", []string{"tenant", "create", "other", "--image", "tiny", "--domain", "https://x.localhost"}, []string{"bare host name"}, 1},
		{"unknown image", []string{"tenant", "create", "other", "--image", "nope", "--domain", "x.localhost"}, []string{"nope", "tiny"}, 1},
		{"unknown plan", []string{"tenant", "create", "other", "--image", "tiny", "--plan", "huge", "--domain", "x.localhost"}, []string{"huge", "small"}, 1},
		{"unknown member", []string{"tenant", "create", "other", "--image", "tiny", "--member", "n9", "--domain", "x.localhost"}, []string{"n9", "n1"}, 1},
		{"unknown tenant", []string{"tenant", "stop", "nobody"}, []string{"nobody"}, 1},
		{"image in use", []string{"image", "delete", "tiny/1"}, []string{"acme"}, 1},
		{"unknown job", []string{"job", "show", "nope"}, []string{"nope"}, 1},
		{"unknown command", []string{"tenant", "frobnicate"}, []string{"frobnicate"}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, errs, code := w.cli(tt.args...)
			if code != tt.status {
				t.Errorf("exit %d, want %d", code, tt.status)
			}
			for _, want := range tt.says {
				if !strings.Contains(errs, want) {
					t.Errorf("does not say %q:\n%s%s", want, out, errs)
				}
			}
		})
	}
	if after := w.instances(); len(after) != len(before) {
		t.Errorf("instances before %v, after %v", before, after)
	}
	w.wantPage("acme.localhost", "tenant=acme")
}

// TestClonesAtOnce has three daemons make tenants on one member at the same time. LXD gives
// some of them user ids that are not its own: all must run all the same, and those of one
// daemon have ids of their own. Two daemons' may share some: LXD has no lock for that.
func TestClonesAtOnce(t *testing.T) {
	t.Parallel()
	const daemons, each = 3, 6
	var worlds []*world
	for range daemons {
		w := newWorld(t)
		w.up()
		worlds = append(worlds, w)
	}
	asked := map[*world][]client.Job{}
	for i := range each {
		for _, w := range worlds {
			name := "a" + strconv.Itoa(i)
			asked[w] = append(asked[w], w.submit(http.MethodPost, "/v1/tenants", map[string]any{
				"name": name, "image": "tiny", "member": "n1", "domains": []string{name + ".localhost"},
			}))
		}
	}
	for _, w := range worlds {
		for _, job := range asked[w] {
			w.done(job)
		}
		ranges := map[string]string{}
		for _, name := range w.instances() {
			base := w.lxc("config", "get", name, "volatile.idmap.base")
			if other := ranges[base]; other != "" {
				t.Errorf("%s and %s have the same user ids, from %s on", other, name, base)
			}
			ranges[base] = name
		}
	}
}
