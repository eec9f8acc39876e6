package tenants

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestCreateRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("globex")
		w.tenant("initech")
		w.done(w.service.Remove(t.Context(), "initech", false, Once{}))
		do(t, w.lxd.LxcCreate(fleet.CloneSpec{Name: "handmade"}))
		w.lxd.SetOnline("n3", false)
		w.lxd.SetPoolFull("n2", true)
		time.Sleep(time.Minute)
		tests := []struct {
			name   string
			change func(*CreateRequest)
			code   fleet.Code
			field  string
			says   []string
		}{
			{"invalid name", func(r *CreateRequest) { r.Name = "Acme!" }, fleet.Invalid, "name", []string{"Acme!", "lower-case"}},
			{"reserved name", func(r *CreateRequest) { r.Name = "lxdfleet-x" }, fleet.Invalid, "name", nil},
			{"taken name", func(r *CreateRequest) { r.Name = "globex" }, fleet.Taken, "name", []string{"globex already"}},
			{"name in the trash", func(r *CreateRequest) { r.Name = "initech" }, fleet.Taken, "name", []string{"trash", "undelete initech"}},
			{"name of an instance", func(r *CreateRequest) { r.Name = "handmade" }, fleet.Taken, "name", []string{"adopt handmade"}},
			{"invalid domain", func(r *CreateRequest) { r.Domains = []string{"https://acme.test/"} }, fleet.Invalid, "domain", []string{"bare host name"}},
			{"domain twice", func(r *CreateRequest) { r.Domains = []string{"a.test", "A.test."} }, fleet.Invalid, "domain", []string{"twice"}},
			{"taken domain", func(r *CreateRequest) { r.Domains = []string{"acme.test", "globex.example.test"} }, fleet.Taken, "domain", []string{"globex.example.test belongs to tenant globex"}},
			{"domain in the trash", func(r *CreateRequest) { r.Domains = []string{"initech.example.test"} }, fleet.Taken, "domain", []string{"initech"}},
			{"no image", func(r *CreateRequest) { r.Image = "" }, fleet.Invalid, "image", []string{"NAME/VERSION"}},
			{"unknown image", func(r *CreateRequest) { r.Image = "joomla" }, fleet.Invalid, "image", []string{"images: wordpress"}},
			{"unknown version", func(r *CreateRequest) { r.Image = "wordpress/9" }, fleet.Invalid, "image", []string{"images: wordpress/6.1-1"}},
			{"unknown plan", func(r *CreateRequest) { r.Plan = "huge" }, fleet.Invalid, "plan", []string{"plans: large, medium, small"}},
			{"default is no plan", func(r *CreateRequest) { r.Plan = "default" }, fleet.Invalid, "plan", nil},
			{"unknown member", func(r *CreateRequest) { r.Member = "n9" }, fleet.Invalid, "member", []string{"members: n1, n2, n3"}},
			{"member offline", func(r *CreateRequest) { r.Member = "n3" }, fleet.Unavailable, "", []string{"n3 is offline"}},
			{"pool full", func(r *CreateRequest) { r.Member = "n2" }, fleet.Exhausted, "", []string{"n2 has a full pool"}},
			{"bad port", func(r *CreateRequest) { r.Health = &fleet.HealthCheck{Path: "/", Timeout: 1} }, fleet.Invalid, "health", []string{"0 is not a port"}},
			{"bad path", func(r *CreateRequest) { r.Health = &fleet.HealthCheck{Port: 1, Path: "x", Timeout: 1} }, fleet.Invalid, "health", []string{"slash"}},
			{"bad status", func(r *CreateRequest) {
				r.Health = &fleet.HealthCheck{Port: 1, Path: "/", Timeout: 1, Status: 99}
			}, fleet.Invalid, "health", []string{"99"}},
			{"no timeout", func(r *CreateRequest) { r.Health = &fleet.HealthCheck{Port: 1, Path: "/"} }, fleet.Invalid, "health", []string{"timeout"}},
			{"label", func(r *CreateRequest) { r.Labels = map[string]string{"A b": "c"} }, fleet.Invalid, "labels", nil},
			{"control characters", func(r *CreateRequest) { r.DisplayName = "a\x1b[31m" }, fleet.Invalid, "display_name", nil},
			{"long contact", func(r *CreateRequest) { r.Contact = strings.Repeat("x", 201) }, fleet.Invalid, "contact", nil},
		}
		for _, tt := range tests {
			req := CreateRequest{Name: "acme", Image: "wordpress"}
			tt.change(&req)
			_, err := w.service.Create(t.Context(), req, Once{})
			t.Log(tt.name, "-", err)
			wantError(t, err, tt.code, tt.field, tt.says...)
		}
		w.lxd.SetPoolFull("n1", true)
		time.Sleep(time.Minute)
		_, err := w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress"}, Once{})
		wantError(t, err, fleet.Exhausted, "", "n1 has a full pool", "n2 has a full pool", "n3 is offline")
		if list, _ := w.service.List(t.Context(), fleet.TenantFilter{}); len(list) != 2 {
			t.Errorf("%d tenants after refusals, want 2", len(list))
		}
	})
}

func TestCreateNeedsDomainWithoutBase(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.service.opt.BaseDomain = ""
		_, err := w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress"}, Once{})
		wantError(t, err, fleet.Invalid, "domains", "base_domain")
	})
}

func TestCreateLooksAgainBeforeRefusing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.lxd.SetOnline("n1", false)
		time.Sleep(time.Minute)
		w.lxd.SetOnline("n1", true) // not read yet
		if _, err := w.lxd.EnsureProfile(t.Context(), fleet.ProfileSpec{Name: "tiny"}); err != nil {
			t.Fatal(err)
		}
		w.done(w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress", Member: "n1", Plan: "tiny"}, Once{}))
	})
}

func TestIdenticalCreatesAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var (
			wg     sync.WaitGroup
			mu     sync.Mutex
			made   []fleet.Job
			failed []error
		)
		for range 5 {
			wg.Go(func() {
				job, err := w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress"}, Once{})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					failed = append(failed, err)
				} else {
					made = append(made, job)
				}
			})
		}
		wg.Wait()
		if len(made) != 1 || len(failed) != 4 {
			t.Fatalf("%d jobs and %d refusals of 5, want 1 and 4: %v", len(made), len(failed), failed)
		}
		for _, err := range failed {
			wantError(t, err, fleet.Busy, "", made[0].ID, "lxdfleet job watch "+made[0].ID)
		}
		w.done(made[0], nil)
	})
}

func TestDomainWantedTwiceAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		first, err := w.service.Create(t.Context(), CreateRequest{Name: "acme", Image: "wordpress", Domains: []string{"shop.test"}}, Once{})
		do(t, err)
		second, err := w.service.Create(t.Context(), CreateRequest{Name: "globex", Image: "wordpress", Domains: []string{"shop.test"}}, Once{})
		if err == nil { // not refused up front: the database decides
			first, _ = w.engine.Wait(t.Context(), first.ID)
			second, _ = w.engine.Wait(t.Context(), second.ID)
			if first.State == second.State {
				t.Errorf("both jobs ended as %s", first.State)
			}
			return
		}
		wantError(t, err, fleet.Taken, "domain", "acme")
	})
}

func TestSameKey(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ask := func(name, hash string) (fleet.Job, error) {
			return w.service.Create(t.Context(), CreateRequest{Name: name, Image: "wordpress"}, Once{Key: "k1", Hash: hash})
		}
		first, err := ask("acme", "h1")
		do(t, err)
		second, err := ask("acme", "h1")
		if err != nil || second.ID != first.ID {
			t.Errorf("while it runs: job %s, %v; want %s", second.ID, err, first.ID)
		}
		w.done(first, nil)
		third, err := ask("acme", "h1")
		if err != nil || third.ID != first.ID || third.State != fleet.JobDone {
			t.Errorf("when it is done: job %s (%s), %v; want %s", third.ID, third.State, err, first.ID)
		}
		_, err = ask("acme", "h2")
		wantError(t, err, fleet.Conflict, "", first.ID)
		if _, err = ask("globex", "h3"); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("the key with another tenant: %v", err)
		}
	})
}
