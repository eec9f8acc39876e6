package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) memberCommand() *cobra.Command {
	return t.group("member", "LXD servers of the cluster: list", &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List members", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			list, err := client.Decode[client.MemberList](d.ListMembers(c.Context()))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, m := range list.Items {
					state, cpus := "offline", ""
					if m.Online {
						state = "online"
					}
					if m.Cpus > 0 {
						cpus = strconv.Itoa(m.Cpus)
					}
					rows[i] = []string{
						m.Name, state, cpus, used(m.MemoryUsed, m.MemoryTotal), used(m.PoolUsed, m.PoolTotal), m.Address, m.Message,
					}
				}
				return t.printTable([]string{"NAME", "STATE", "CPUS", "MEMORY", "POOL", "ADDRESS", "MESSAGE"}, rows)
			})
		},
	})
}

// used writes how much of something is in use; nothing where it is not known.
func used(part, total int64) string {
	if total == 0 {
		return ""
	}
	return humanSize(part) + " of " + humanSize(total)
}
