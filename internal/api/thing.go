package api

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// site is where the things of one kind are in the API's document. What is further below is a part
// of the thing.
type site struct {
	route string
	kind  string // as in subjects, such as tenant/acme
	part  bool   // the audit log tells of changes as of the thing that it is below
}

// sites lists them, what is below another before it. Each request looks through them.
var sites = sync.OnceValue(func() []site {
	return []site{
		{"/v1/tenants/{name}/snapshots/{snapshot}", "snapshot", true},
		{"/v1/tenants/{name}", "tenant", false},
		{"/v1/adoptable/{name}", "tenant", false},
		{"/v1/domains/{domain}", "domain", false},
		{"/v1/policies/{policy}", "policy", false},
		{"/v1/backups/{id}", "backup", false},
		{"/v1/images/{name}/{version}", "image", false},
		{"/v1/jobs/{id}", "job", false},
		{"/v1/members/{name}", "member", false},
		{"/v1/proxies/{name}", "proxy", false},
		{"/v1/clusters/{cluster}", "cluster", false},
		{"/v1/users/{user}", "user", false},
		{"/v1/tokens/{id}", "token", false},
		{"/v1/sessions/{id}", "session", false},
		{"/v1/webhooks/{id}", "webhook", false},
		{"/v1/deliveries/{id}", "delivery", false},
	}
})

var pathPart = regexp.MustCompile(`\{([^}]*)\}`)

// at gives the thing of the kind that a request's path names.
func (p site) at(ec echo.Context) string {
	parts := []string{p.kind}
	for _, param := range pathPart.FindAllStringSubmatch(p.route, -1) {
		parts = append(parts, pathParam(ec, param[1]))
	}
	return strings.Join(parts, "/")
}

func (p site) holds(route string) bool {
	return route == p.route || strings.HasPrefix(route, p.route+"/")
}

// subjectOf names what a request changes, for the audit log: by its path, or by the field of its
// body that says whom it is for.
func subjectOf(ec echo.Context, c *call) string {
	return named(ec, c, func(p site) bool { return !p.part })
}

// thingOf names what a request shows or changes a version of.
func thingOf(ec echo.Context, c *call) string {
	return named(ec, c, func(site) bool { return true })
}

func named(ec echo.Context, c *call, wanted func(site) bool) string {
	all := sites()
	i := slices.IndexFunc(all, func(p site) bool { return wanted(p) && p.holds(c.access.route) })
	if i >= 0 {
		return all[i].at(ec)
	}
	if strings.HasPrefix(c.access.route, "/v1/session") && c.caller.User != "" {
		return "user/" + c.caller.User
	}
	return bodySubject(c)
}

// bodySubject is for requests that make something.
func bodySubject(c *call) string {
	known := map[string][2]string{
		"createTenant": {"tenant", "name"}, "createPolicy": {"policy", "name"}, "createBackup": {"tenant", "tenant"},
		"runDrill": {"tenant", "tenant"}, "createUser": {"user", "name"}, "createProxyToken": {"proxy", "name"},
		"addCluster": {"cluster", "name"},
	}
	kind, ok := known[c.access.operation]
	if !ok {
		return ""
	}
	var fields map[string]any
	if json.Unmarshal(c.body, &fields) != nil {
		return ""
	}
	name, _ := fields[kind[1]].(string)
	if name == "" || len(name) > 255 {
		return ""
	}
	return kind[0] + "/" + name
}

// Document is what a subject, such as tenant/acme, is now, as the API shows it; nil where there is
// none, or nothing but its name.
func (s *Server) Document(ctx context.Context, subject string) json.RawMessage {
	return s.document(ctx, subject)
}

// document gives what a subject is now, as the API shows it; nil where there is none, or nothing
// but its name. Nobody else is asked for it: of a domain there is not what DNS says, of a cluster
// not how it is.
func (s *Server) document(ctx context.Context, subject string) json.RawMessage {
	kind, name, _ := strings.Cut(subject, "/")
	read, known := map[string]func(context.Context, string) (any, error){
		"tenant": func(ctx context.Context, name string) (any, error) {
			return show(s.tenant)(s.Tenants.Get(ctx, fleet.Name(name)))
		},
		"domain": func(ctx context.Context, name string) (any, error) {
			return show(domainOut)(s.Domains.DomainRecord(ctx, name))
		},
		"policy": func(ctx context.Context, name string) (any, error) {
			return show(policyOut)(s.Policies.Policy(ctx, name))
		},
		"user": func(ctx context.Context, name string) (any, error) { return show(userOut)(s.Accounts.User(ctx, name)) },
		"member": func(ctx context.Context, name string) (any, error) {
			return show(memberOut)(s.Placement.Member(ctx, name))
		},
		"webhook": func(ctx context.Context, name string) (any, error) {
			return show(webhookOut)(s.Webhooks.Webhook(ctx, name))
		},
		"job": func(ctx context.Context, name string) (any, error) { return show(jobOut)(s.Jobs.Job(ctx, name)) },
		"backup": func(ctx context.Context, name string) (any, error) {
			return show(backupOut)(s.Backups.Backup(ctx, name))
		},
		"cluster": func(ctx context.Context, name string) (any, error) {
			return show(clusterOut)(s.Clusters.Record(ctx, fleet.Name(name)))
		},
		"image":    func(ctx context.Context, name string) (any, error) { return s.image(ctx, name) },
		"snapshot": s.snapshotOf,
		"proxy":    func(_ context.Context, name string) (any, error) { return s.proxy(name) },
		"token":    func(ctx context.Context, id string) (any, error) { return s.token(ctx, id) },
		"session":  func(ctx context.Context, id string) (any, error) { return s.loginSession(ctx, id) },
	}[kind]
	if !known {
		return nil
	}
	doc, err := read(ctx, name)
	if err != nil {
		return nil
	}
	text, err := json.Marshal(doc)
	if err != nil {
		s.log.Error("a document cannot be written into the audit log", "subject", subject, "error", err)
		return nil
	}
	return text
}

// show makes what was read what the API shows.
func show[T, Out any](out func(T) Out) func(T, error) (any, error) {
	return func(found T, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		return out(found), nil
	}
}

func (s *Server) snapshotOf(ctx context.Context, name string) (any, error) {
	tenant, snapshot, _ := strings.Cut(name, "/")
	return show(snapshotOut)(s.Snapshots.Snapshot(ctx, fleet.Name(tenant), snapshot))
}

// observed lists the fields of a kind that nobody sets: a change of them makes no other version.
func observed(kind string) []string {
	switch kind {
	case "domain":
		return []string{"state", "check", "verified_at", "dns", "to_set", "certificate"}
	case "snapshot":
		return []string{"size"}
	case "backup":
		return []string{"verified_at", "damage"}
	case "image":
		return []string{"members"}
	case "member":
		return []string{
			"online", "status", "message", "address", "pool_total", "pool_used", "memory_total", "memory_used", "cpus", "load", "roles",
			"tenants", "level", "reserved",
		}
	case "proxy":
		return []string{"connected", "since", "address", "version", "seen_at", "generation", "newest", "lag"}
	case "cluster":
		return []string{"usable", "problem", "version", "members", "prepared"}
	case "token":
		return []string{"last_used_at", "last_used_by"}
	case "session":
		return []string{"seen_at", "expires_at", "address", "user_agent", "current"}
	}
	return nil
}
