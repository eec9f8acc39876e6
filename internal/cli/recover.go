package cli

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) recoverCommand() *cobra.Command {
	var p client.RecoverParams
	c := &cobra.Command{
		Use: "recover", Short: "Rebuild lost tenants from what LXD's instances say of themselves", Args: arguments(0, 0),
		Long: "Rebuild images and tenants that the store lacks, with their domains and plans, from what LXD has.\n" +
			"What is in the store is left as it is.",
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			report, err := client.Decode[client.RecoverReport](d.Recover(c.Context(), &p))
			if err != nil {
				return err
			}
			return t.print(report, func() error { return t.printRecovered(report) })
		},
	}
	c.Flags().BoolVar(&p.DryRun, "dry-run", false, "only say what would become of the tenants")
	return c
}

func (t *tool) printRecovered(report client.RecoverReport) error {
	for _, image := range report.Images {
		fmt.Fprintf(t.Out, "Image %s is recorded again\n", printable(image))
	}
	if len(report.Tenants) == 0 {
		_, err := fmt.Fprintln(t.Out, "No instance belongs to a tenant")
		return err
	}
	rows := make([][]string, len(report.Tenants))
	for i, r := range report.Tenants {
		rows[i] = []string{r.Instance, cmp.Or(r.Tenant, "?"), string(r.Outcome), r.Reason}
	}
	return t.printTable([]string{"INSTANCE", "TENANT", "OUTCOME", "REASON"}, rows)
}
