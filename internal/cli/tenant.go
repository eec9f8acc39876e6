package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) tenantCommand() *cobra.Command {
	return t.group("tenant", "Clients' places: create, list, start, stop, delete, …",
		t.tenantCreate(), t.tenantApply(), t.tenantCredentials(), t.tenantList(), t.tenantShow(), t.tenantStart(), t.tenantStop(), t.tenantRestart(),
		t.tenantDelete(), t.tenantUndelete(), t.tenantResize(), t.tenantAdopt(), t.tenantAdoptable(),
		t.tenantExec(), t.tenantLogs(), t.tenantSet(), t.tenantMaintenance(), t.tenantHold(), t.tenantResume(), t.tenantGuard(),
	)
}

func (t *tool) tenantList() *cobra.Command {
	var p client.ListTenantsParams
	var desired, status []string
	var sort string
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List tenants", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			for _, state := range desired {
				p.Desired = append(p.Desired, client.Desired(state))
			}
			for _, word := range status {
				p.Status = append(p.Status, client.TenantStatus(word))
			}
			p.Sort = client.ListTenantsParamsSort(sort)
			tenants, err := allTenants(c.Context(), d, p)
			if err != nil {
				return err
			}
			return t.print(tenants, func() error { return t.tenantTable(tenants) })
		},
	}
	c.Flags().StringVar(&p.Search, "search", "", "only with this `text` in the name, display name or a domain")
	c.Flags().StringArrayVar(&p.Label, "label", nil, "only with this label, `key=value`; may be repeated")
	c.Flags().StringVar(&p.Image, "image", "", "only of this golden image, `name[/version]`")
	c.Flags().StringVar(&p.Plan, "plan", "", "only with this `plan`")
	c.Flags().StringVar(&p.Member, "member", "", "only those wanted on this `member`")
	c.Flags().StringSliceVar(&desired, "desired", nil, "only those wanted in these `states`: running, stopped, removed")
	complete(c, "image", t.words(-1, imageNames))
	complete(c, "plan", t.words(-1, planNames))
	complete(c, "member", t.words(-1, memberNames))
	fixed(c, "desired", "running", "stopped", "removed")
	c.Flags().StringSliceVar(&status, "status", nil, "only those of these `statuses`, such as unhealthy,missing")
	fixed(c, "status", "creating", "starting", "running", "unhealthy", "stopped", "stopped-by-operator", "missing", "removed", "unknown")
	sortFlag(c, &sort, "name", "created", "status")
	return c
}

// allTenants reads all pages. It never gives nil.
func allTenants(ctx context.Context, d *client.Daemon, p client.ListTenantsParams) ([]client.Tenant, error) {
	tenants, limit := []client.Tenant{}, 1000
	p.Limit = &limit
	for {
		page, err := client.Decode[client.TenantList](d.ListTenants(ctx, &p))
		if err != nil {
			return nil, err
		}
		tenants = append(tenants, page.Items...)
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			return tenants, nil
		}
	}
}

func (t *tool) tenantTable(tenants []client.Tenant) error {
	rows := make([][]string, len(tenants))
	for i, x := range tenants {
		rows[i] = []string{
			x.Name, string(x.Status), x.Image, x.Plan, strings.Join(x.Domains, ", "), whereabouts(x), x.Address,
		}
	}
	return t.printTable([]string{"NAME", "STATUS", "IMAGE", "PLAN", "DOMAINS", "MEMBER", "ADDRESS"}, rows)
}

// whereabouts is the member a tenant is on, or is wanted on where it is on none.
func whereabouts(x client.Tenant) string {
	if x.Location != "" {
		return x.Location
	}
	return x.Member
}

func (t *tool) tenantShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Aliases: []string{"info"}, Short: "Show a tenant", Args: arguments(1, 1), ValidArgsFunction: t.words(1, tenantNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.Tenant](d.GetTenant(c.Context(), args[0]))
			if err != nil {
				return err
			}
			return t.print(x, func() error { return t.describeTenant(x) })
		},
	}
}

func (t *tool) describeTenant(x client.Tenant) error {
	health := fmt.Sprintf("GET %s on port %d within %s", x.Health.Path, x.Health.Port, x.Health.Timeout)
	healthy := ""
	if x.Healthy != nil {
		healthy = yesNo(*x.Healthy)
	}
	maintenance := ""
	if x.Maintenance != nil {
		maintenance = "since " + t.ago(x.Maintenance.Since) + t.until(x.Maintenance)
		if x.Maintenance.Message != "" {
			maintenance += ": " + x.Maintenance.Message
		}
	}
	guard := ""
	if x.Guard != nil {
		guard = guardWords(x.Guard)
	}
	return t.printFields(
		"Name", x.Name, "Display name", x.DisplayName, "Contact", x.Contact,
		"Status", string(x.Status), "Problem", x.Problem, "Job", x.Job, "Wanted", string(x.Desired),
		"Address", x.Url, "Domains", strings.Join(x.Domains, ", "),
		"Not served yet", strings.Join(x.PendingDomains, ", "), "Maintenance", maintenance, "Held for", holds(x), "Guard", guard,
		"Image", x.Image, "Plan", x.Plan, "Policy", x.Policy, "Time zone", x.TimeZone, "Window", x.Window, "Quiesce", quiesceWords(x.Quiesce), "Labels", pairs(x.Labels),
		"Member", whereabouts(x), "Wishes", wishes(x.Wishes), "Instance address", x.Address, "Reached by", x.Backend,
		"Health check", health, "Healthy", healthy,
		"Deleted for good", t.ago(x.PurgeAt),
		"Created", t.ago(x.CreatedAt), "Changed", t.ago(x.UpdatedAt), "Seen", t.ago(x.ObservedAt), "ID", x.Id,
	)
}

// quiesceWords says how an application is held still; empty where nothing is said of it.
func quiesceWords(q *client.Quiesce) string {
	if q == nil {
		return ""
	}
	words := []string{"by " + string(q.By)}
	if q.By == client.QuiesceByNone {
		words[0] = "none"
	}
	for _, more := range [][2]string{{"at most ", q.Limit}, {"at ", q.Address}, {"login in ", q.Login}} {
		if more[1] != "" {
			words = append(words, more[0]+more[1])
		}
	}
	return strings.Join(words, ", ")
}
