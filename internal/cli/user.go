package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) userCommand() *cobra.Command {
	return t.group("user", "Who may log in: list, show, create, set, link, sessions, delete",
		t.userList(), t.userShow(), t.userCreate(), t.userSet(), t.userLink(), t.userSessions(), t.userLogout(), t.userClearTOTP(), t.userDelete())
}

func userNames(ctx context.Context, d *client.Daemon) ([]string, error) {
	list, err := client.Decode[client.UserList](d.ListUsers(ctx))
	return namesOf(list.Items, func(u client.User) string { return u.Name }), err
}

func (t *tool) userList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the users", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			list, err := client.Decode[client.UserList](d.ListUsers(c.Context()))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, u := range list.Items {
					rows[i] = []string{u.Name, u.DisplayName, string(u.Role), strings.Join(u.Tenants, ", "), yesNo(u.Totp), yesNo(u.Disabled), t.ago(u.LastSeenAt)}
				}
				return t.printTable([]string{"NAME", "DISPLAY NAME", "ROLE", "TENANTS", "CODES", "DISABLED", "SEEN"}, rows)
			})
		},
	}
}

// onUser makes a verb for one user.
func (t *tool) onUser(use, short string, do func(ctx context.Context, d *client.Daemon, name string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: arguments(1, 1), ValidArgsFunction: t.words(1, userNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			return do(c.Context(), d, args[0])
		},
	}
}

func (t *tool) userShow() *cobra.Command {
	return t.onUser("show NAME", "Show a user", func(ctx context.Context, d *client.Daemon, name string) error {
		u, err := client.Decode[client.User](d.GetUser(ctx, name))
		if err != nil {
			return err
		}
		return t.showUser(u)
	})
}

func (t *tool) showUser(u client.User) error {
	return t.print(u, func() error {
		return t.printFields("Name", u.Name, "Display name", u.DisplayName, "Role", string(u.Role), "Tenants", strings.Join(u.Tenants, ", "),
			"Identity", u.Subject, "One-time codes", yesNo(u.Totp), "Disabled", yesNo(u.Disabled), "Seen", t.when(u.LastSeenAt), "Created", t.when(u.CreatedAt))
	})
}

const roleHelp = "`role`: admin, operator, viewer or client"

func (t *tool) userCreate() *cobra.Command {
	var u client.UserCreate
	var role string
	c := &cobra.Command{
		Use: "create NAME", Short: "Add a user, and print the link that sets its password", Args: arguments(1, 1),
		Example: "  lxdfleet user create anna@agency.example --role operator\n  lxdfleet user create bob@acme.example --role client --tenant acme",
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			u.Name, u.Role = args[0], client.Role(role)
			made, err := client.Decode[client.UserCreated](d.CreateUser(c.Context(), nil, u))
			if err != nil {
				return err
			}
			return t.print(made, func() error {
				fmt.Fprintf(t.Err, "User %s is made. The password is set at this address, once; it ends %s:\n", made.User.Name, t.ago(made.ExpiresAt))
				_, err := fmt.Fprintln(t.Out, made.Link)
				return err
			})
		},
	}
	c.Flags().StringVar(&role, "role", "viewer", roleHelp)
	fixed(c, "role", "admin", "operator", "viewer", "client")
	c.Flags().StringVar(&u.DisplayName, "display-name", "", "`name` for people")
	c.Flags().StringSliceVar(&u.Tenants, "tenant", nil, "`name` of a tenant that a client sees; several times")
	complete(c, "tenant", t.words(-1, tenantNames))
	c.Flags().StringVar(&u.Subject, "subject", "", "`identity` at an OpenID provider: its address, a space, its name for the user")
	return c
}

func (t *tool) userSet() *cobra.Command {
	var role, display, subject string
	var tenants []string
	var disable, enable bool
	c := &cobra.Command{
		Use: "set NAME", Short: "Change a user; less power ends its sessions", Args: arguments(1, 1), ValidArgsFunction: t.words(1, userNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			var edit client.UserEdit
			given := c.Flags().Changed
			if given("role") {
				r := client.Role(role)
				edit.Role = &r
			}
			if given("display-name") {
				edit.DisplayName = &display
			}
			if given("subject") {
				edit.Subject = &subject
			}
			if given("tenant") {
				if len(tenants) == 1 && tenants[0] == "" {
					tenants = []string{}
				}
				edit.Tenants = &tenants
			}
			if disable || enable {
				edit.Disabled = &disable
			}
			u, err := client.Decode[client.User](d.EditUser(c.Context(), args[0], nil, edit))
			if err != nil {
				return err
			}
			return t.showUser(u)
		},
	}
	c.Flags().StringVar(&role, "role", "", roleHelp)
	fixed(c, "role", "admin", "operator", "viewer", "client")
	c.Flags().StringVar(&display, "display-name", "", "`name` for people")
	c.Flags().StringVar(&subject, "subject", "", "`identity` at an OpenID provider; empty: none")
	c.Flags().StringSliceVar(&tenants, "tenant", nil, "`name` of a tenant that a client sees, instead of those before; several times")
	complete(c, "tenant", t.words(-1, tenantNames))
	c.Flags().BoolVar(&disable, "disable", false, "let it in no more")
	c.Flags().BoolVar(&enable, "enable", false, "let it in again")
	apart(c, "disable", "enable")
	return c
}

func (t *tool) userLink() *cobra.Command {
	return t.onUser("link NAME", "Print a link that sets a user's password, once", func(ctx context.Context, d *client.Daemon, name string) error {
		made, err := client.Decode[client.Link](d.CreateLink(ctx, name, nil))
		if err != nil {
			return err
		}
		return t.print(made, func() error {
			fmt.Fprintf(t.Err, "It ends %s; earlier links of the user are good no more:\n", t.ago(made.ExpiresAt))
			_, err := fmt.Fprintln(t.Out, made.Link)
			return err
		})
	})
}

func (t *tool) userSessions() *cobra.Command {
	return t.onUser("sessions NAME", "List where a user is logged in", func(ctx context.Context, d *client.Daemon, name string) error {
		list, err := client.Decode[client.SessionList](d.ListUserSessions(ctx, name))
		if err != nil {
			return err
		}
		return t.print(list.Items, func() error {
			rows := make([][]string, len(list.Items))
			for i, s := range list.Items {
				rows[i] = []string{s.Id, s.Address, s.UserAgent, t.ago(s.CreatedAt), t.ago(s.SeenAt), t.ago(s.ExpiresAt)}
			}
			return t.printTable([]string{"ID", "ADDRESS", "BROWSER", "BEGAN", "SEEN", "ENDS"}, rows)
		})
	})
}

func (t *tool) userLogout() *cobra.Command {
	return t.onUser("logout NAME", "End all sessions of a user", func(ctx context.Context, d *client.Daemon, name string) error {
		body, err := client.Open(d.EndUserSessions(ctx, name, nil))
		return t.didUser(body, err, "ended", name, "The sessions of %s have ended\n")
	})
}

func (t *tool) userClearTOTP() *cobra.Command {
	return t.onUser("clear-codes NAME", "Ask a user who has lost the authenticator for no one-time codes any more",
		func(ctx context.Context, d *client.Daemon, name string) error {
			body, err := client.Open(d.ClearTOTP(ctx, name, nil))
			return t.didUser(body, err, "cleared", name, "No one-time codes are asked of %s any more\n")
		})
}

// didUser says what was done to a user.
func (t *tool) didUser(body io.ReadCloser, err error, verb, name, words string) error {
	if err != nil {
		return err
	}
	body.Close()
	return t.print(map[string]string{verb: name}, func() error { _, err := fmt.Fprintf(t.Out, words, name); return err })
}

func (t *tool) userDelete() *cobra.Command {
	c := t.onUser("delete NAME", "Remove a user, with its sessions and tokens", func(ctx context.Context, d *client.Daemon, name string) error {
		body, err := client.Open(d.DeleteUser(ctx, name, nil))
		return t.didUser(body, err, "deleted", name, "User %s is deleted\n")
	})
	c.Aliases = []string{"rm"}
	return c
}
