package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) clusterCommand() *cobra.Command {
	return t.group("cluster", "Other LXD clusters and servers: add, list, show, rotate, remove",
		t.clusterAdd(), t.clusterList(), t.clusterShow(), t.clusterRotate(), t.clusterRemove())
}

func (t *tool) clusterAdd() *cobra.Command {
	var spec client.ClusterAdd
	var password bool
	c := &cobra.Command{
		Use: "add NAME [URL]", Short: "Add another LXD cluster or stand-alone server", Args: arguments(1, 2), ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Add another LXD cluster or stand-alone server. On one of its members run\n\n" +
			"  lxc config trust add --name lxdfleet\n\n" +
			"and give the token it prints. lxdfleet makes a certificate for this cluster alone, which the cluster\n" +
			"trusts from then on, pins the cluster's own, and makes its project and profiles there. URL is\n" +
			"https://HOST:PORT of a member; without it the token tells.",
		Example: "  lxdfleet cluster add west --token eyJjbGllbnRfbmFtZSI6…\n" +
			"  lxdfleet cluster add old https://10.0.0.1:8443 --password-stdin --fingerprint 155551ed… < password",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		spec.Name = args[0]
		if len(args) > 1 {
			spec.Url = args[1]
		}
		if password {
			text, err := io.ReadAll(io.LimitReader(t.In, 4096))
			if err != nil {
				return err
			}
			spec.Password = strings.TrimRight(string(text), "\r\n")
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		x, err := client.Decode[client.Cluster](d.AddCluster(c.Context(), nil, spec))
		if err != nil {
			return err
		}
		return t.print(x, func() error {
			for line := range strings.Lines(x.Prepared) {
				fmt.Fprintln(t.Out, printable(strings.TrimSuffix(line, "\n")))
			}
			_, err := fmt.Fprintf(t.Out, "Cluster %s is added: LXD %s, %d members\n", x.Name, x.Version, len(x.Members))
			return err
		})
	}
	f := c.Flags()
	f.StringVar(&spec.Token, "token", "", "`token` that lxc config trust add printed there")
	f.BoolVar(&password, "password-stdin", false, "read the trust password of an older server from standard input, in place of a token")
	f.StringVar(&spec.Fingerprint, "fingerprint", "", "with --password-stdin: `SHA-256` of the server's certificate")
	f.StringVar(&spec.Project, "project", "", "LXD `project` for what is lxdfleet's (default lxdfleet)")
	f.StringVar(&spec.Pool, "pool", "", "storage `pool` (default: the one that suits best)")
	f.StringVar(&spec.Network, "network", "", "`network` of the tenants (likewise)")
	return c
}

func (t *tool) clusterList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the other clusters and how they are", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			list, err := client.Decode[client.ClusterList](d.ListClusters(c.Context()))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, x := range list.Items {
					rows[i] = []string{x.Name, clusterState(x), x.Url, x.Version, onlineOf(x), x.Problem}
				}
				return t.printTable([]string{"NAME", "STATE", "ADDRESS", "LXD", "MEMBERS", "PROBLEM"}, rows)
			})
		},
	}
}

func clusterState(x client.Cluster) string {
	if x.Usable {
		return "well"
	}
	return "away"
}

// onlineOf tells how many of the members are online; empty where it is not known.
func onlineOf(x client.Cluster) string {
	online := 0
	for _, m := range x.Members {
		if m.Online {
			online++
		}
	}
	if len(x.Members) == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d online", online, len(x.Members))
}

func (t *tool) clusterShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a cluster and its members", Args: arguments(1, 1), ValidArgsFunction: t.words(1, clusterNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.Cluster](d.GetCluster(c.Context(), args[0]))
			if err != nil {
				return err
			}
			return t.print(x, func() error { return t.printCluster(x) })
		},
	}
}

func (t *tool) printCluster(x client.Cluster) error {
	if err := t.printFields(
		"Name", x.Name, "State", clusterState(x), "Problem", x.Problem, "Address", x.Url, "Fingerprint", x.Fingerprint, "LXD", x.Version,
		"Project", x.Project, "Pool", x.Pool, "Network", x.Network,
		"Added", t.ago(x.AddedAt), "Our certificate", t.ago(x.KeyAt),
	); err != nil || len(x.Members) == 0 {
		return err
	}
	rows := make([][]string, len(x.Members))
	for i, m := range x.Members {
		state := "offline"
		if m.Online {
			state = "online"
		}
		rows[i] = []string{m.Name, state, fmt.Sprint(m.Cpus), share(m.MemoryUsed, m.MemoryTotal), share(m.PoolUsed, m.PoolTotal), m.Message}
	}
	return t.printTable([]string{"MEMBER", "STATE", "CPUS", "MEMORY", "POOL", "MESSAGE"}, rows)
}

// share is how much of the whole is used, in percent; empty where the whole is not known.
func share(used, whole int64) string {
	if whole == 0 {
		return ""
	}
	return fmt.Sprintf("%d%%", used*100/whole)
}

func (t *tool) clusterRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate NAME", Short: "Exchange the certificate that is shown to a cluster", Args: arguments(1, 1), ValidArgsFunction: t.words(1, clusterNames),
		Long: "Exchange the certificate that is shown to a cluster. It happens by itself every 90 days.",
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.Cluster](d.RotateCluster(c.Context(), args[0], nil))
			if err != nil {
				return err
			}
			return t.print(x, func() error {
				_, err := fmt.Fprintf(t.Out, "Cluster %s knows a new certificate\n", x.Name)
				return err
			})
		},
	}
}

func (t *tool) clusterRemove() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: "remove NAME...", Aliases: []string{"rm", "delete"}, Short: "Have clusters trust lxdfleet no more, and forget them", Args: arguments(1, -1),
		Long: "Have clusters trust lxdfleet no more, and forget them. It is refused while a tenant, or anything else\n" +
			"of lxdfleet's, is there.",
		ValidArgsFunction: t.words(-1, clusterNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			for _, name := range args {
				body, err := client.Open(d.RemoveCluster(c.Context(), name, &client.RemoveClusterParams{Force: force}))
				if err != nil {
					return err
				}
				body.Close()
				if err := t.print(map[string]string{"removed": name}, func() error {
					_, err := fmt.Fprintf(t.Out, "Cluster %s is removed\n", name)
					return err
				}); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&force, "force", false, "also where it is away: it goes on trusting, and what is there is forgotten")
	return c
}

func clusterNames(ctx context.Context, d *client.Daemon) ([]string, error) {
	list, err := client.Decode[client.ClusterList](d.ListClusters(ctx))
	return namesOf(list.Items, func(x client.Cluster) string { return x.Name }), err
}
