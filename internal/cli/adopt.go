package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) tenantAdoptable() *cobra.Command {
	return &cobra.Command{
		Use: "adoptable", Short: "List instances in the project that are no tenant's", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			list, err := client.Decode[client.AdoptableList](d.ListAdoptable(c.Context()))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, x := range list.Items {
					rows[i] = []string{x.Name, x.Status, x.Location, short(x.Image), x.Obstacle}
				}
				return t.printTable([]string{"NAME", "STATUS", "MEMBER", "FINGERPRINT", "OBSTACLE"}, rows)
			})
		},
	}
}

func (t *tool) tenantAdopt() *cobra.Command {
	var spec client.TenantAdopt
	var labels []string
	c := &cobra.Command{
		Use: "adopt NAME [flags]", Short: "Make a tenant of an instance", Args: arguments(1, 1),
		ValidArgsFunction: t.words(1, adoptableNames),
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if spec.Labels, err = parsePairs("label", labels); err != nil {
			return err
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		answer, err := d.AdoptInstance(c.Context(), args[0], &client.AdoptInstanceParams{IdempotencyKey: w.key}, spec)
		return w.job(c.Context(), d, func(client.Job) error {
			_, err := fmt.Fprintf(t.Out, "Instance %s is a tenant\n", args[0])
			return err
		}, answer, err)
	}
	f := c.Flags()
	f.StringVar(&spec.Plan, "plan", "", "`plan`; lxdfleet plan list shows them")
	f.StringSliceVar(&spec.Domains, "domain", nil, "`host` it is served at; may be repeated, the first is the primary one")
	f.StringArrayVar(&labels, "label", nil, "label, `key=value`; may be repeated")
	f.StringVar(&spec.DisplayName, "display-name", "", "`name` for people")
	f.StringVar(&spec.Contact, "contact", "", "whom to tell when something is wrong, such as a mail `address`")
	complete(c, "plan", t.words(-1, planNames))
	return c
}

// short is a fingerprint as lxc shows it.
func short(fingerprint string) string { return fingerprint[:min(12, len(fingerprint))] }
