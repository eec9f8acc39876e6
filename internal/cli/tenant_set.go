package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// tenantKeys are what tenant set can change.
var tenantKeys = []string{"display-name=", "contact=", "label."}

func (t *tool) tenantSet() *cobra.Command {
	return &cobra.Command{
		Use: "set TENANT KEY=VALUE...", Short: "Change what is written down about a tenant", Args: arguments(2, -1),
		Long: "Change what is written down about a tenant. The keys are display-name, contact and\n" +
			"label.NAME; an empty value takes it away.",
		Example: "  lxdfleet tenant set acme contact=it@client.example label.tier=gold label.old=",
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
		case isLabel && label != "":
			spec.Labels[label] = value
		default:
			return spec, usagef("a tenant has no %q; the keys are display-name, contact and label.NAME", key)
		}
	}
	return spec, nil
}
