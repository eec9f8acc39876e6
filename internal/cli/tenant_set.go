package cli

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// tenantKeys are what tenant set can change.
var tenantKeys = []string{"display-name=", "contact=", "policy=", "time-zone=", "quiesce=", "quiesce.limit=", "quiesce.address=", "quiesce.login=", "label."}

func (t *tool) tenantSet() *cobra.Command {
	return &cobra.Command{
		Use: "set TENANT KEY=VALUE...", Short: "Change what is written down about a tenant", Args: arguments(2, -1),
		Long: "Change what is written down about a tenant. The keys are display-name, contact,\n" +
			"policy, time-zone, quiesce and label.NAME; an empty value takes it away.\n\n" +
			"quiesce says how the application is held still for a snapshot: hook (by its golden image; the\n" +
			"default), mysql (lxdfleet locks the database itself) or none. With it go quiesce.limit, how long\n" +
			"writes may be blocked at most, and with mysql quiesce.address (host:port, or a socket's path) and\n" +
			"quiesce.login (an option file in the instance with user and password).",
		Example: "  lxdfleet tenant set acme contact=it@client.example label.tier=gold label.old=\n  lxdfleet tenant set acme policy=nightly time-zone=Europe/Berlin",
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
			x, err := client.Decode[client.Tenant](d.EditTenant(c.Context(), args[0], spec))
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
		case key == "time-zone":
			spec.TimeZone = &value
		case isLabel && label != "":
			spec.Labels[label] = value
		default:
			return spec, usagef("a tenant has no %q; the keys are display-name, contact, policy, time-zone, quiesce and label.NAME", key)
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
