package tenants

import (
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

func acmeRequest() PutRequest {
	return PutRequest{
		Image: "wordpress", Plan: "small", Domains: []string{"acme.test", "www.acme.test"}, Labels: map[string]string{"client": "acme"},
		DisplayName: new("Acme AG"), Admin: &fleet.Admin{Email: "jo@acme.test", Name: "Jo"},
	}
}

// put is a Put that must work; its job, if it has one, is waited for.
func (w *world) put(req PutRequest, want Outcome) {
	w.t.Helper()
	job, outcome, err := w.service.Put(w.t.Context(), "acme", req)
	if err != nil || outcome != want {
		w.t.Fatalf("outcome %q, want %q: %v", outcome, want, err)
	}
	if job.ID != "" {
		w.done(job, nil)
	}
}

func TestPutCreatesAndConverges(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		req := acmeRequest()
		first, outcome, err := w.service.Put(t.Context(), "acme", req)
		do(t, err)
		again, _, err := w.service.Put(t.Context(), "acme", req)
		do(t, err)
		if outcome != OutcomeCreated || again.ID != first.ID {
			t.Errorf("outcome %q, jobs %s and %s", outcome, first.ID, again.ID)
		}
		other := acmeRequest()
		other.Plan = "large"
		_, _, err = w.service.Put(t.Context(), "acme", other)
		wantError(t, err, fleet.Busy, "", first.ID)
		w.done(first, nil)
		if env := w.hooks[0].Env; env["LXDFLEET_ADMIN_EMAIL"] != "jo@acme.test" || env["LXDFLEET_ADMIN_NAME"] != "Jo" {
			t.Errorf("the hook is told %v", env)
		}
		w.put(req, OutcomeUnchanged)

		req.Plan, req.Labels, req.DisplayName = "large", map[string]string{"tier": "gold"}, new("Acme")
		w.put(req, OutcomeChanged)
		w.put(req, OutcomeUnchanged)
		if v := w.get("acme"); v.Plan != "large" || v.Labels["tier"] != "gold" || v.Labels["client"] != "" || v.DisplayName != "Acme" {
			t.Errorf("tenant %+v", v.Tenant)
		}
		w.put(PutRequest{Image: "wordpress/6.1-1"}, OutcomeUnchanged) // what is not said is as it is
		if v := w.get("acme"); v.Plan != "large" || v.Labels["tier"] != "gold" || len(v.Domains) != 2 {
			t.Errorf("tenant %+v", v.Tenant)
		}
	})
}

// While the job of a put is under way the same put gives that job, and another one is told to wait.
func TestPutAgainWhileResizing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.put(acmeRequest(), OutcomeCreated)
		// As an earlier put has made it, but that it takes its time.
		resize, err := w.engine.Submit(t.Context(), jobs.Request{
			Kind: KindResize, Subject: "tenant/acme", NotBefore: time.Now().Add(5 * time.Minute),
			Args: resizeState{whereabouts: w.service.whereabouts(w.get("acme").Tenant, 0), From: "small", To: "large"},
		})
		do(t, err)
		req := acmeRequest()
		req.Plan, req.DisplayName = "large", new("Acme")
		again, outcome, err := w.service.Put(t.Context(), "acme", req)
		do(t, err)
		if outcome != OutcomeChanged || again.ID != resize.ID || w.get("acme").DisplayName != "Acme" {
			t.Errorf("outcome %q, jobs %q and %q", outcome, resize.ID, again.ID)
		}
		_, _, err = w.service.Put(t.Context(), "acme", acmeRequest())
		wantError(t, err, fleet.Busy, "", resize.ID)
		w.done(resize, nil)
		w.put(req, OutcomeUnchanged)
		req.Plan = "small"
		w.put(req, OutcomeChanged)
	})
}

func TestPutDomains(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.put(acmeRequest(), OutcomeCreated)
		w.done(w.service.Create(t.Context(), CreateRequest{Name: "globex", Image: "wordpress", Domains: []string{"globex.test"}}, Once{}))
		for _, tt := range []struct{ put, want string }{
			{"www.acme.test acme.test", "www.acme.test acme.test"},
			{"shop.acme.test www.acme.test", "shop.acme.test www.acme.test"},
			{"shop.acme.test *.acme.test", "shop.acme.test *.acme.test"},
			{"acme.test", "acme.test"},
		} {
			req := PutRequest{Image: "wordpress", Domains: strings.Fields(tt.put)}
			w.put(req, OutcomeChanged)
			w.put(req, OutcomeUnchanged)
			if got := keysOf(w.get("acme").Tenant)[fleet.KeyDomains]; got != tt.want {
				t.Errorf("after %s: %s", tt.put, got)
			}
		}
		_, _, err := w.service.Put(t.Context(), "acme", PutRequest{
			Image: "wordpress", Domains: []string{"acme.test", "globex.test"}, DisplayName: new("not written"),
		})
		wantError(t, err, fleet.Taken, "domains", "globex")
		if v := w.get("acme"); v.DisplayName != "Acme AG" {
			t.Error("something was changed by a refused request")
		}
	})
}

func TestPutRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*PutRequest)
		code   fleet.Code
		field  string
	}{
		"another image":        {func(r *PutRequest) { r.Image = "mautic" }, fleet.Conflict, "image"},
		"another version":      {func(r *PutRequest) { r.Image = "wordpress/7.0-1" }, fleet.Conflict, "image"},
		"no image":             {func(r *PutRequest) { r.Image = "" }, fleet.Invalid, "image"},
		"another admin":        {func(r *PutRequest) { r.Admin = &fleet.Admin{Email: "eve@acme.test"} }, fleet.Conflict, "admin"},
		"no such plan":         {func(r *PutRequest) { r.Plan = "huge" }, fleet.Invalid, "plan"},
		"no such policy":       {func(r *PutRequest) { r.Policy = new("hourly") }, fleet.Invalid, "policy"},
		"a domain twice":       {func(r *PutRequest) { r.Domains = []string{"a.test", "a.test"} }, fleet.Invalid, "domain"},
		"a name with controls": {func(r *PutRequest) { r.DisplayName = new("\x1b") }, fleet.Invalid, "display_name"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.put(acmeRequest(), OutcomeCreated)
				before := w.get("acme").Tenant
				req := acmeRequest()
				tt.change(&req)
				_, _, err := w.service.Put(t.Context(), "acme", req)
				wantError(t, err, tt.code, tt.field)
				if now := w.get("acme").Tenant; now.Revision != before.Revision {
					t.Errorf("it was changed: %+v", now)
				}
			})
		})
	}
}

func TestPutOfATenantInTheTrash(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.put(acmeRequest(), OutcomeCreated)
		w.done(w.service.Remove(t.Context(), "acme", false, Once{}))
		_, _, err := w.service.Put(t.Context(), "acme", acmeRequest())
		wantError(t, err, fleet.Conflict, "", "trash")
	})
}

func TestCredentialsLink(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.put(acmeRequest(), OutcomeCreated)
		s, ctx := w.service, t.Context()
		one, until, err := s.CredentialsLink(ctx, "acme")
		do(t, err)
		two, _, err := s.CredentialsLink(ctx, "acme")
		do(t, err)
		if one == two || time.Until(until) != credentialsFor {
			t.Errorf("links %s and %s until %s", one, two, until)
		}
		_, err = s.UseCredentialsLink(ctx, "made up")
		wantError(t, err, fleet.Unauthenticated, "link")

		w.done(s.Stop(ctx, "acme", 0, Once{}))
		_, err = s.UseCredentialsLink(ctx, one)
		wantError(t, err, fleet.Conflict, "", "stopped")
		w.done(s.Start(ctx, "acme", Once{}))
		got, err := s.UseCredentialsLink(ctx, one) // it stayed good
		do(t, err)
		if got.Tenant.Name != "acme" || !strings.Contains(got.Text, CredentialsFile) {
			t.Errorf("%+v", got)
		}
		for _, secret := range []string{one, two} {
			_, err = s.UseCredentialsLink(ctx, secret)
			wantError(t, err, fleet.Unauthenticated, "link")
		}
		used, err := s.CredentialsUsed(ctx, "acme")
		do(t, err)
		if used.IsZero() {
			t.Error("it is not known that they were shown")
		}
		three, _, err := s.CredentialsLink(ctx, "acme")
		do(t, err)
		// Not by waiting: three days of virtual time are four thousand looks at the queue.
		s.opt.Now = func() time.Time { return time.Now().Add(credentialsFor) }
		_, err = s.UseCredentialsLink(ctx, three)
		wantError(t, err, fleet.Unauthenticated, "link")
	})
}
