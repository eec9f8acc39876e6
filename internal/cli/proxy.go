package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) proxyCommand() *cobra.Command {
	var controller, token, name, dir string
	var check bool
	c := t.group("proxy", "Proxies on hosts of their own: run one, token, list, remove", t.proxyToken(), t.proxyList(), t.proxyRemove())
	help := c.RunE
	c.Long = "With --controller or --token: run a proxy on this host, without a daemon. It joins the fleet\n" +
		"once with a token that lxdfleet proxy token prints on the controller, follows the routes\n" +
		"there, and serves the last ones it knew while the controller is away. Addresses, limits and\n" +
		"certificates are as in the configuration file of this host, section proxy."
	c.Example = "  lxdfleet proxy token --name edge-1\n" +
		"  lxdfleet proxy --controller https://ctl.example:8444 --token lxdfleet-...\n" +
		"  lxdfleet proxy --controller https://ctl.example:8444"
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 || controller == "" && token == "" {
			return help(c, args)
		}
		cfg, err := t.settings()
		if err != nil {
			return err
		}
		if dir != "" {
			if cfg.DataDir, err = filepath.Abs(dir); err != nil {
				return fmt.Errorf("find the data folder: %w", err)
			}
		}
		if check {
			return nil
		}
		return t.app.Proxy(c.Context(), cfg, controller, token, name)
	}
	c.Flags().BoolVar(&check, "check", false, "only read the configuration")
	c.Flags().StringVar(&controller, "controller", "", "`address` of the controller, such as https://ctl.example:8444")
	c.Flags().StringVar(&token, "token", os.Getenv("LXDFLEET_TOKEN"), "`token` to join with, once (default: $LXDFLEET_TOKEN)")
	c.Flags().StringVar(&name, "name", "", "`name` to join as (default: that of the host)")
	c.Flags().StringVar(&dir, "data-dir", "", "`folder` for identity, routes and certificates (default: as configured)")
	return c
}

func (t *tool) proxyToken() *cobra.Command {
	var spec client.ProxyTokenCreate
	c := &cobra.Command{
		Use: "token", Short: "Make a token that one proxy can join with, once", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.ProxyToken](d.CreateProxyToken(c.Context(), nil, spec))
			if err != nil {
				return err
			}
			return t.print(x, func() error {
				fmt.Fprintf(t.Err, "Run on the other host, as root; the token is good once and ends %s:\n", t.ago(x.ExpiresAt))
				_, err := fmt.Fprintf(t.Out, "lxdfleet proxy --controller %s --token %s\n", x.Controller, x.Token)
				return err
			})
		},
	}
	c.Flags().StringVar(&spec.Name, "name", "", "the only `name` it may join as (default: any)")
	c.Flags().StringVar(&spec.Ttl, "ttl", "1h", "how long it is good, such as 10m; a `time`")
	return c
}

func (t *tool) proxyList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List proxies on hosts of their own", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			list, err := client.Decode[client.ProxyList](d.ListProxies(c.Context()))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, p := range list.Items {
					state := "away"
					if p.Connected {
						state = "connected"
					}
					since := p.Since
					if since.IsZero() {
						since = p.SeenAt
					}
					rows[i] = []string{p.Name, state, t.ago(since), p.Address, p.Version, fmt.Sprintf("%d of %d", p.Generation, p.Newest), p.Lag}
				}
				return t.printTable([]string{"NAME", "STATE", "SINCE", "ADDRESS", "VERSION", "GENERATION", "LAG"}, rows)
			})
		},
	}
}

func (t *tool) proxyRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME...", Aliases: []string{"rm", "delete"}, Short: "Take proxies out of the fleet; they are cut off at once", Args: arguments(1, -1),
		ValidArgsFunction: t.words(-1, proxyNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			for _, name := range args {
				body, err := client.Open(d.RemoveProxy(c.Context(), name, nil))
				if err != nil {
					return err
				}
				body.Close()
				if err := t.print(map[string]string{"removed": name}, func() error {
					_, err := fmt.Fprintf(t.Out, "Proxy %s is removed. Stop it on its host: it serves its last routes until then\n", name)
					return err
				}); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func proxyNames(ctx context.Context, d *client.Daemon) ([]string, error) {
	list, err := client.Decode[client.ProxyList](d.ListProxies(ctx))
	return namesOf(list.Items, func(p client.Proxy) string { return p.Name }), err
}
