package bench

import (
	"context"
	"net/http"
	"time"
)

// Tenant is one of lxdfleet's. Its requests come through the proxy.
type Tenant struct {
	LXC
	Daemon              *Fleet
	Tenant, Image, Plan string
}

// Label is how it is called in tables.
func (t *Tenant) Label() string { return "lxdfleet" }

// Name of the tenant, and of its instance.
func (t *Tenant) Name() string { return t.Tenant }

// Path is its resource.
func (t *Tenant) Path() string { return "/v1/tenants/" + t.Tenant }

func (t *Tenant) domain() string { return t.Tenant + ".localhost" }

// Create makes it, where placement wants it if member is empty, and ends with its first good page.
func (t *Tenant) Create(ctx context.Context, member string) error {
	body := map[string]any{"name": t.Tenant, "image": t.Image, "plan": t.Plan, "domains": []string{t.domain()}}
	if member != "" {
		body["member"] = member
	}
	if err := t.Daemon.Do(ctx, http.MethodPost, "/v1/tenants", body); err != nil {
		return err
	}
	return t.Page(ctx)
}

// Page waits for a good page.
func (t *Tenant) Page(ctx context.Context) error {
	url, client := t.Site()
	return PollPage(ctx, client, url+"/", "")
}

// Remove deletes it for good, if it is there.
func (t *Tenant) Remove(ctx context.Context) {
	_ = t.Daemon.Do(ctx, http.MethodDelete, t.Path()+"?now=true", nil) // it may never have come to be
}

// Site is where its pages are, and who fetches them.
func (t *Tenant) Site() (url string, client *http.Client) {
	patient := *t.Daemon.Pages
	patient.Timeout = time.Minute
	return t.Daemon.URL(t.domain()), &patient
}
