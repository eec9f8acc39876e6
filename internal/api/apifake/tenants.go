package apifake

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// Tenants are tenants without instances.
type Tenants struct {
	fleet *Fleet

	mu     sync.Mutex
	byName map[string]tenants.View
	shown  time.Time // when the credentials were, by a link
	// Command runs what Exec is asked to run; it may be replaced before the first call.
	Command func(ctx context.Context, spec fleet.ExecSpec) (int, error)
}

func newTenants(f *Fleet) *Tenants {
	healthy, purge := true, Now.Add(48*time.Hour)
	acme := tenants.View{
		Tenant: fleet.Tenant{
			ID: "0000000000000000000000acme", Name: "acme", DisplayName: "Acme Ltd", Contact: "it@acme.example",
			Labels: map[string]string{"tier": "gold"}, Image: fleet.ImageRef{Name: "wordpress", Version: "6.1-1"},
			Plan: "small", Domains: []fleet.Domain{"acme.localhost", "www.acme.localhost", "www.xn--bcher-kva.de"}, Health: fleet.DefaultHealth(),
			DomainSettings: map[fleet.Domain]fleet.DomainSetting{"www.acme.localhost": {Redirect: 308}, "www.xn--bcher-kva.de": {Pending: true}},
			Desired:        fleet.DesiredRunning, Ready: true, Member: "n1",
			CreatedAt: Now.Add(-36 * time.Hour), UpdatedAt: Now.Add(-time.Hour), Revision: 3,
		},
		Observation: fleet.Observation{
			Exists: true, Status: fleet.InstanceRunning, Location: "n1", Address: "10.0.0.10", Healthy: &healthy, At: Now,
		},
		Status: fleet.TenantRunning,
	}
	globex := tenants.View{
		Tenant: fleet.Tenant{
			ID: "00000000000000000000globex", Name: "globex", Image: fleet.ImageRef{Name: "wordpress", Version: "6.0-1"},
			Plan: "large", Domains: []fleet.Domain{"globex.localhost"}, Health: fleet.DefaultHealth(),
			Desired: fleet.DesiredRemoved, Ready: true, Member: "n2", PurgeAt: &purge,
			CreatedAt: Now.Add(-30 * 24 * time.Hour), UpdatedAt: Now, Revision: 9,
		},
		Observation: fleet.Observation{Exists: true, Status: fleet.InstanceStopped, Location: "n2", At: Now},
		Status:      fleet.TenantRemoved,
	}
	return &Tenants{
		fleet: f, byName: map[string]tenants.View{"acme": acme, "globex": globex},
		Command: func(_ context.Context, spec fleet.ExecSpec) (int, error) {
			_, err := fmt.Fprintf(spec.Stdout, "ran %q\n", spec.Command)
			return 0, err
		},
	}
}

func (t *Tenants) job(method, kind string, name fleet.Name, args any, once tenants.Once) (fleet.Job, error) {
	if err := t.fleet.called(method, args); err != nil {
		return fleet.Job{}, err
	}
	if _, err := t.find(name); err != nil {
		return fleet.Job{}, err
	}
	return t.fleet.Jobs.Submit(kind, "tenant/"+name.String(), map[string]string{"name": name.String()}, once)
}

func (t *Tenants) find(name fleet.Name) (tenants.View, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.byName[string(name)]
	if !ok {
		return v, fleet.Errorf(fleet.NotFound, "there is no tenant %q", name).WithField("name").
			WithHint("see them with: lxdfleet tenant list")
	}
	return v, nil
}

// Create implements api.Tenants.
func (t *Tenants) Create(_ context.Context, r tenants.CreateRequest, once tenants.Once) (fleet.Job, error) {
	if err := t.fleet.called("Create", r); err != nil {
		return fleet.Job{}, err
	}
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return fleet.Job{}, err
	}
	image, err := fleet.ParseImageRef(r.Image)
	if err != nil {
		return fleet.Job{}, err
	}
	image.Version = cmp.Or(image.Version, "6.1-1")
	v := tenants.View{Tenant: fleet.Tenant{
		ID: fmt.Sprintf("%026s", name), Name: name, Image: image, Plan: cmp.Or(r.Plan, "small"), Labels: r.Labels,
		Policy: r.Policy, TimeZone: r.TimeZone, Desired: fleet.DesiredRunning, Ready: true, Health: fleet.DefaultHealth(), CreatedAt: Now, UpdatedAt: Now, Revision: 1,
	}, Status: fleet.TenantRunning}
	for _, d := range r.Domains {
		domain, err := fleet.ParseDomain(d)
		if err != nil {
			return fleet.Job{}, err
		}
		v.Tenant.Domains = append(v.Tenant.Domains, domain)
	}
	job, err := t.fleet.Jobs.Submit("tenant.create", "tenant/"+r.Name, map[string]string{"name": r.Name}, once)
	if err == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.byName[r.Name] = v
	}
	return job, err
}

// Put implements api.Tenants: what is there gets another plan by a job, and all else at once.
func (t *Tenants) Put(ctx context.Context, name fleet.Name, r tenants.PutRequest) (fleet.Job, tenants.Outcome, error) {
	if err := t.fleet.called("Put", name, r); err != nil {
		return fleet.Job{}, "", err
	}
	v, err := t.find(name)
	if err != nil {
		job, err := t.Create(ctx, tenants.CreateRequest{Name: name.String(), Image: r.Image, Plan: r.Plan, Domains: r.Domains, Labels: r.Labels}, tenants.Once{})
		return job, tenants.OutcomeCreated, err
	}
	if r.Image != v.Image.Name {
		return fleet.Job{}, "", fleet.Errorf(fleet.Conflict, "tenant %s was made from the image %s", name, v.Image).WithField("image").
			WithHint("give image %s", v.Image.Name)
	}
	if r.Plan != "" && r.Plan != v.Plan {
		job, err := t.Resize(ctx, name, r.Plan, tenants.Once{})
		return job, tenants.OutcomeChanged, err
	}
	return fleet.Job{}, tenants.OutcomeUnchanged, nil
}

// Secret is that of every link to credentials in this fleet, until it is used.
const Secret = "a-secret-of-a-link-to-credentials"

// CredentialsLink implements api.Tenants.
func (t *Tenants) CredentialsLink(_ context.Context, name fleet.Name) (string, time.Time, error) {
	if err := t.fleet.called("CredentialsLink", name); err != nil {
		return "", time.Time{}, err
	}
	_, err := t.find(name)
	return Secret, Now.Add(72 * time.Hour), err
}

// UseCredentialsLink implements api.Tenants: the credentials are acme's.
func (t *Tenants) UseCredentialsLink(_ context.Context, secret string) (tenants.Credentials, error) {
	if err := t.fleet.called("UseCredentialsLink"); err != nil {
		return tenants.Credentials{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if secret != Secret || !t.shown.IsZero() {
		return tenants.Credentials{}, fleet.Errorf(fleet.Unauthenticated, "the link is not good any more").WithField("link").
			WithHint("ask for another: lxdfleet tenant credentials NAME")
	}
	t.shown = Now
	return tenants.Credentials{Tenant: t.byName["acme"].Tenant, Text: "user: admin\npassword: only-once\n"}, nil
}

// CredentialsUsed implements api.Tenants.
func (t *Tenants) CredentialsUsed(_ context.Context, name fleet.Name) (time.Time, error) {
	if err := t.fleet.called("CredentialsUsed", name); err != nil {
		return time.Time{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.shown, nil
}

// Adopt implements api.Tenants.
func (t *Tenants) Adopt(_ context.Context, r tenants.AdoptRequest, once tenants.Once) (fleet.Job, error) {
	if err := t.fleet.called("Adopt", r); err != nil {
		return fleet.Job{}, err
	}
	if r.Name != "handmade" {
		return fleet.Job{}, fleet.Errorf(fleet.NotFound, "there is no instance %q to adopt", r.Name).WithField("name").
			WithHint("see them with: lxdfleet tenant adoptable")
	}
	return t.fleet.Jobs.Submit("tenant.adopt", "tenant/"+r.Name, map[string]string{"name": r.Name}, once)
}

// Start implements api.Tenants.
func (t *Tenants) Start(_ context.Context, name fleet.Name, once tenants.Once) (fleet.Job, error) {
	return t.job("Start", "tenant.start", name, name, once)
}

// Stop implements api.Tenants.
func (t *Tenants) Stop(_ context.Context, name fleet.Name, timeout time.Duration, once tenants.Once) (fleet.Job, error) {
	return t.job("Stop", "tenant.stop", name, []any{name, timeout}, once)
}

// Restart implements api.Tenants.
func (t *Tenants) Restart(_ context.Context, name fleet.Name, timeout time.Duration, once tenants.Once) (fleet.Job, error) {
	return t.job("Restart", "tenant.restart", name, []any{name, timeout}, once)
}

// Resize implements api.Tenants.
func (t *Tenants) Resize(_ context.Context, name fleet.Name, plan string, once tenants.Once) (fleet.Job, error) {
	return t.job("Resize", "tenant.resize", name, []any{name, plan}, once)
}

// Remove implements api.Tenants.
func (t *Tenants) Remove(_ context.Context, name fleet.Name, now bool, once tenants.Once) (fleet.Job, error) {
	return t.job("Remove", "tenant.remove", name, []any{name, now}, once)
}

// Undelete implements api.Tenants.
func (t *Tenants) Undelete(_ context.Context, name fleet.Name, once tenants.Once) (fleet.Job, error) {
	return t.job("Undelete", "tenant.undelete", name, name, once)
}

// edit changes a tenant as the service does.
func (t *Tenants) edit(name fleet.Name, change func(*fleet.Tenant)) (tenants.View, error) {
	v, err := t.find(name)
	if err != nil {
		return v, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&v.Tenant)
	v.Tenant.Revision++
	t.byName[name.String()] = v
	return v, nil
}

// Edit implements api.Tenants.
func (t *Tenants) Edit(_ context.Context, name fleet.Name, req tenants.EditRequest) (tenants.View, error) {
	if err := t.fleet.called("Edit", name, req.Labels); err != nil {
		return tenants.View{}, err
	}
	return t.edit(name, func(t *fleet.Tenant) {
		if req.DisplayName != nil {
			t.DisplayName = *req.DisplayName
		}
		if req.Contact != nil {
			t.Contact = *req.Contact
		}
		if req.Policy != nil {
			t.Policy = *req.Policy
		}
		if req.TimeZone != nil {
			t.TimeZone = *req.TimeZone
		}
		if req.Quiesce != nil {
			t.Quiesce = req.Quiesce
		}
		if t.Labels == nil {
			t.Labels = map[string]string{}
		}
		maps.Copy(t.Labels, req.Labels)
		maps.DeleteFunc(t.Labels, func(_, value string) bool { return value == "" })
	})
}

// Maintain implements api.Tenants.
func (t *Tenants) Maintain(_ context.Context, name fleet.Name, req tenants.MaintenanceRequest) (tenants.View, error) {
	if err := t.fleet.called("Maintain", name, req); err != nil {
		return tenants.View{}, err
	}
	return t.edit(name, func(t *fleet.Tenant) {
		t.Maintenance = &fleet.Maintenance{Message: req.Message, Page: req.Page, Since: Now}
		if req.For > 0 {
			t.Maintenance.Until = Now.Add(req.For)
		}
	})
}

// Open implements api.Tenants.
func (t *Tenants) Open(_ context.Context, name fleet.Name) (tenants.View, error) {
	if err := t.fleet.called("Open", name); err != nil {
		return tenants.View{}, err
	}
	return t.edit(name, func(t *fleet.Tenant) { t.Maintenance = nil })
}

// EditGuard implements api.Tenants.
func (t *Tenants) EditGuard(_ context.Context, name fleet.Name, edit tenants.GuardEdit) (tenants.View, error) {
	if err := t.fleet.called("EditGuard", name); err != nil {
		return tenants.View{}, err
	}
	v, err := t.find(name)
	if err != nil {
		return v, err
	}
	var rules fleet.GuardRules
	if v.Guard != nil {
		rules = *v.Guard
	}
	rules = edit.Apply(rules)
	if err := rules.Validate(); err != nil {
		return tenants.View{}, err
	}
	return t.edit(name, func(t *fleet.Tenant) {
		if t.Guard = nil; !rules.Empty() {
			t.Guard = &rules
		}
	})
}

// DropGuard implements api.Tenants.
func (t *Tenants) DropGuard(_ context.Context, name fleet.Name) (tenants.View, error) {
	if err := t.fleet.called("DropGuard", name); err != nil {
		return tenants.View{}, err
	}
	return t.edit(name, func(t *fleet.Tenant) { t.Guard = nil })
}

// Hold implements api.Tenants.
func (t *Tenants) Hold(_ context.Context, name fleet.Name, reason string, span time.Duration) (tenants.View, error) {
	if err := t.fleet.called("Hold", name, reason, span); err != nil {
		return tenants.View{}, err
	}
	hold := fleet.Hold{Reason: cmp.Or(reason, tenants.DefaultReason), Since: Now}
	if span > 0 {
		hold.Until = Now.Add(span)
	}
	return t.edit(name, func(t *fleet.Tenant) { t.Holds = append(t.Holds, hold) })
}

// Resume implements api.Tenants.
func (t *Tenants) Resume(_ context.Context, name fleet.Name, reason string) (tenants.View, error) {
	if err := t.fleet.called("Resume", name, reason); err != nil {
		return tenants.View{}, err
	}
	return t.edit(name, func(t *fleet.Tenant) {
		t.Holds = slices.DeleteFunc(t.Holds, func(h fleet.Hold) bool { return reason == "" || h.Reason == reason })
	})
}

// Get implements api.Tenants.
func (t *Tenants) Get(_ context.Context, name fleet.Name) (tenants.View, error) {
	if err := t.fleet.called("Get", name); err != nil {
		return tenants.View{}, err
	}
	return t.find(name)
}

// List implements api.Tenants.
func (t *Tenants) List(_ context.Context, f fleet.TenantFilter) ([]tenants.View, error) {
	if err := t.fleet.called("List", f); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []tenants.View
	for _, v := range slices.SortedFunc(maps.Values(t.byName), func(a, b tenants.View) int { return follows(f, a, b) }) {
		name, last := v.Name.String(), tenants.View{Tenant: fleet.Tenant{Name: f.After, CreatedAt: f.AfterCreated}, Status: f.AfterStatus}
		if (f.After == "" || follows(f, v, last) > 0) && (len(f.Statuses) == 0 || slices.Contains(f.Statuses, v.Status)) && strings.Contains(name, f.Search) && (f.Limit == 0 || len(found) < f.Limit) &&
			(f.Names == nil || slices.Contains(f.Names, v.Tenant.Name)) &&
			(f.Plan == "" || f.Plan == v.Tenant.Plan) && (f.Image == "" || f.Image == v.Tenant.Image.Name) &&
			(len(f.Desired) == 0 || slices.Contains(f.Desired, v.Tenant.Desired)) {
			found = append(found, v)
		}
	}
	return found, nil
}

// follows compares two tenants in the order of a list.
func follows(f fleet.TenantFilter, a, b tenants.View) int {
	order := cmp.Compare(a.Name, b.Name)
	switch f.Order {
	case fleet.TenantsByCreated:
		order = cmp.Or(a.CreatedAt.Compare(b.CreatedAt), order)
	case fleet.TenantsByStatus:
		order = cmp.Or(cmp.Compare(a.Status, b.Status), order)
	}
	if f.Down {
		return -order
	}
	return order
}

// Adoptable implements api.Tenants.
func (t *Tenants) Adoptable(context.Context) ([]tenants.Candidate, error) {
	return []tenants.Candidate{
		{Name: "handmade", Status: fleet.InstanceRunning, Location: "n1", Image: strings.Repeat("ab", 32)},
		{Name: "UPPER", Status: fleet.InstanceStopped, Location: "n2", Obstacle: "its name is not one a tenant can have; rename it with lxc rename"},
	}, t.fleet.called("Adoptable")
}

// Recover implements api.Tenants.
func (t *Tenants) Recover(_ context.Context, dryRun bool) ([]tenants.Recovered, error) {
	return []tenants.Recovered{
		{Instance: "acme", Tenant: fleet.Tenant{Name: "acme"}, Outcome: tenants.RecoverDone},
		{Instance: "broken", Outcome: tenants.RecoverConflict, Reason: "its keys cannot be read"},
		{Instance: "globex", Tenant: fleet.Tenant{Name: "globex"}, Outcome: tenants.RecoverThere},
	}, t.fleet.called("Recover", dryRun)
}

// Exec implements api.Tenants.
func (t *Tenants) Exec(ctx context.Context, name fleet.Name, spec fleet.ExecSpec) (int, error) {
	if err := t.fleet.called("Exec", name, spec.Command, spec.TTY); err != nil {
		return 0, err
	}
	return t.Command(ctx, spec)
}

// Logs implements api.Tenants: with Follow the lines end with ctx.
func (t *Tenants) Logs(ctx context.Context, name fleet.Name, r tenants.LogRequest, w io.Writer) error {
	if err := t.fleet.called("Logs", name, r); err != nil {
		return err
	}
	if _, err := t.find(name); err != nil {
		return err
	}
	if _, err := io.WriteString(w, "systemd[1]: Started nginx.\n"); err != nil {
		return err
	}
	if r.Follow {
		<-ctx.Done()
	}
	return ctx.Err()
}
