package cli

import (
	"bufio"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) tenantLogs() *cobra.Command {
	var p client.GetTenantLogsParams
	lines := 100
	c := &cobra.Command{
		Use: "logs NAME", Short: "Show the system log of a tenant's instance", Args: arguments(1, 1),
		ValidArgsFunction: t.words(1, tenantNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			p.Lines = &lines
			body, err := client.Open(d.GetTenantLogs(c.Context(), args[0], &p))
			if err != nil {
				return err
			}
			defer body.Close()
			in := bufio.NewScanner(body)
			in.Buffer(nil, 1<<20)
			for in.Scan() {
				if _, err := fmt.Fprintln(t.Out, printable(in.Text())); err != nil {
					return err
				}
			}
			if c.Context().Err() != nil {
				return nil // Ctrl-C is how following ends
			}
			return in.Err()
		},
	}
	c.Flags().IntVarP(&lines, "lines", "n", 100, "how many of the last `lines`")
	c.Flags().BoolVarP(&p.Follow, "follow", "f", false, "keep showing lines as they come")
	c.Flags().StringVarP(&p.Unit, "unit", "u", "", "only this systemd `unit`, such as nginx")
	return c
}
