package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) tokenCommand() *cobra.Command {
	return t.group("token", "Tokens for scripts: list, create, delete", t.tokenList(), t.tokenCreate(), t.tokenDelete())
}

func tokenIDs(ctx context.Context, d *client.Daemon) ([]string, error) {
	list, err := client.Decode[client.TokenList](d.ListTokens(ctx))
	return namesOf(list.Items, func(x client.Token) string { return x.Id + "\t" + x.Name + " of " + x.Owner }), err
}

func (t *tool) tokenList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List your tokens; everybody's for an admin", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			list, err := client.Decode[client.TokenList](d.ListTokens(c.Context()))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, x := range list.Items {
					rows[i] = []string{x.Id, x.Name, x.Owner, string(x.Role), strings.Join(x.Tenants, ", "), t.ago(x.ExpiresAt), t.ago(x.LastUsedAt), x.LastUsedBy}
				}
				return t.printTable([]string{"ID", "NAME", "OWNER", "ROLE", "TENANTS", "ENDS", "USED", "FROM"}, rows)
			})
		},
	}
}

func (t *tool) tokenCreate() *cobra.Command {
	var x client.TokenCreate
	var role string
	c := &cobra.Command{
		Use: "create NAME", Short: "Make a token for a script, and print it this once", Args: arguments(1, 1),
		Long:    "Make a token for a script, and print it this once. It never does more than its owner may. NAME\nsays what it is for.",
		Example: "  lxdfleet token create onboarding --user anna --role operator --expires 720h",
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x.Name, x.Role = args[0], client.Role(role)
			made, err := client.Decode[client.TokenCreated](d.CreateToken(c.Context(), nil, x))
			if err != nil {
				return err
			}
			return t.print(made, func() error {
				fmt.Fprintf(t.Err, "Token %s of %s (%s). It is not shown again; send it as Authorization: Bearer\n", made.Token.Id, made.Token.Owner, made.Token.Role)
				_, err := fmt.Fprintln(t.Out, made.Secret)
				return err
			})
		},
	}
	c.Flags().StringVar(&role, "role", "", roleHelp+" (default: the owner's)")
	fixed(c, "role", "admin", "operator", "viewer", "client")
	c.Flags().StringVar(&x.User, "user", "", "`name` of its owner (default: you)")
	complete(c, "user", t.words(-1, userNames))
	c.Flags().StringSliceVar(&x.Tenants, "tenant", nil, "`name` of a tenant, the only ones it may touch; several times")
	complete(c, "tenant", t.words(-1, tenantNames))
	c.Flags().StringVar(&x.ExpiresIn, "expires", "", "how long it is good, such as 720h (default: until it is deleted); a `time`")
	return c
}

func (t *tool) tokenDelete() *cobra.Command {
	return &cobra.Command{
		Use: "delete ID...", Aliases: []string{"rm"}, Short: "End tokens at once", Args: arguments(1, -1), ValidArgsFunction: t.words(-1, tokenIDs),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			for _, id := range args {
				body, err := client.Open(d.DeleteToken(c.Context(), id, nil))
				if err != nil {
					return err
				}
				body.Close()
				if err := t.print(map[string]string{"deleted": id}, func() error {
					_, err := fmt.Fprintf(t.Out, "Token %s is good no more\n", id)
					return err
				}); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
