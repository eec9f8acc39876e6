package cli

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// tenantKeys are what tenant set can change.
var tenantKeys = []string{"display-name=", "contact=", "policy=", "time-zone=", "window=", "quiesce=", "quiesce.limit=", "quiesce.address=", "quiesce.login=", "label.", "require=", "prefer=", "apart=", "together=", "pinned="}

func (t *tool) tenantSet() *cobra.Command {
	return &cobra.Command{
		Use: "set TENANT KEY=VALUE...", Short: "Change what is written down about a tenant", Args: arguments(2, -1),
		Long: "Change what is written down about a tenant. The keys are display-name, contact,\n" +
			"policy, time-zone, window, quiesce, label.NAME, require, prefer, apart, together and pinned; an empty\n" +
			"value takes it away.\n\n" +
			"A tenant wishes of its member: require and prefer (labels of members), apart and together\n" +
			"(tenants, or labels of tenants), each a list with commas, and pinned (true or false). A wish\n" +
			"moves nothing: see lxdfleet rebalance --plan.\n\n" +
			"quiesce says how the application is held still for a snapshot: hook (by its golden image; the\n" +
			"default), mysql (lxdfleet locks the database itself) or none. With it go quiesce.limit, how long\n" +
			"writes may be blocked at most, and with mysql quiesce.address (host:port, or a socket's path) and\n" +
			"quiesce.login (an option file in the instance with user and password).",
		Example: "  lxdfleet tenant set acme contact=it@client.example label.tier=gold label.old=\n  lxdfleet tenant set acme policy=nightly time-zone=Europe/Berlin\n" +
			"  lxdfleet tenant set acme require=disk=nvme apart=globex,client=acme pinned=true",
		ValidArgsFunction: func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return tenantKeys, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
			}
			return t.words(1, tenantNames)(c, args, typed)
		},
		RunE: func(c *cobra.Command, args []string) error {
			spec, err := parseEdit(args[1:])
			if err != nil {
				return err
			}
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.Tenant](d.EditTenant(c.Context(), args[0], nil, spec))
			return t.said(x, err, "is changed")
		},
	}
}

// parseEdit reads KEY=VALUE arguments.
func parseEdit(given []string) (client.TenantEdit, error) {
	spec := client.TenantEdit{Labels: map[string]string{}}
	for _, pair := range given {
		key, value, ok := strings.Cut(pair, "=")
		label, isLabel := strings.CutPrefix(key, "label.")
		switch {
		case !ok:
			return spec, usagef("%q is not of the form KEY=VALUE", pair)
		case key == "display-name":
			spec.DisplayName = &value
		case key == "contact":
			spec.Contact = &value
		case key == "quiesce" || strings.HasPrefix(key, "quiesce."):
			if err := quiesceKey(&spec, key, value); err != nil {
				return spec, err
			}
		case key == "policy":
			spec.Policy = &value
		case key == "window":
			spec.Window = &value
		case key == "time-zone":
			spec.TimeZone = &value
		case isLabel && label != "":
			spec.Labels[label] = value
		case key == "pinned":
			pinned, err := strconv.ParseBool(cmp.Or(value, "false"))
			if err != nil {
				return spec, usagef("pinned is true or false, not %q", value)
			}
			spec.Wishes.Pinned = &pinned
		default:
			list := wishList(&spec.Wishes, key)
			if list == nil {
				return spec, usagef("a tenant has no %q; the keys are display-name, contact, policy, time-zone, quiesce, label.NAME, require, prefer, apart, together and pinned", key)
			}
			items := []string{}
			if value != "" {
				items = strings.Split(value, ",")
			}
			*list = &items
		}
	}
	if q := spec.Quiesce; q != nil && q.By == "" {
		return spec, usagef("quiesce.… goes with quiesce=hook or quiesce=mysql")
	}
	return spec, nil
}

func quiesceKey(spec *client.TenantEdit, key, value string) error {
	if spec.Quiesce == nil {
		spec.Quiesce = &client.Quiesce{}
	}
	switch key {
	case "quiesce":
		spec.Quiesce.By = client.QuiesceBy(cmp.Or(value, string(client.QuiesceByHook)))
	case "quiesce.limit":
		spec.Quiesce.Limit = value
	case "quiesce.address":
		spec.Quiesce.Address = value
	case "quiesce.login":
		spec.Quiesce.Login = value
	default:
		return usagef("a tenant has no %q; lxdfleet tenant set --help lists the keys", key)
	}
	return nil
}

// wishList is the list of wishes that a key names; nil where it names none.
func wishList(w *client.WishesEdit, key string) **[]string {
	switch key {
	case "require":
		return &w.Require
	case "prefer":
		return &w.Prefer
	case "apart":
		return &w.Apart
	case "together":
		return &w.Together
	}
	return nil
}
