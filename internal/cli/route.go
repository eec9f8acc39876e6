package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) routeCommand() *cobra.Command {
	return t.group("route", "What the proxy does with each host: list", &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List routes", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			list, err := client.Decode[client.RouteList](d.ListRoutes(c.Context()))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, r := range list.Items {
					rows[i] = []string{r.Domain, r.Tenant, string(r.State), leadsTo(r)}
				}
				return t.printTable([]string{"DOMAIN", "TENANT", "STATE", "LEADS TO"}, rows)
			})
		},
	})
}

// leadsTo is what a visitor of the route gets.
func leadsTo(r client.Route) string {
	switch r.State {
	case client.RouteStateRedirect:
		return fmt.Sprintf("%s (%d)", r.Redirect, r.Code)
	case client.RouteStateMaintenance:
		return r.Message
	}
	return r.Backend
}
