package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func (t *tool) webhookCommand() *cobra.Command {
	return t.group("webhook", "Addresses that are told what happens: list, show, create, set, test, deliveries, replay, delete",
		t.webhookList(), t.webhookShow(), t.webhookCreate(), t.webhookSet(), t.webhookTest(), t.webhookDeliveries(), t.webhookReplay(), t.webhookDelete())
}

func webhookNames(ctx context.Context, d *client.Daemon) ([]string, error) {
	list, err := client.Decode[client.WebhookList](d.ListWebhooks(ctx))
	return namesOf(list.Items, func(w client.Webhook) string { return w.Name }), err
}

// webhookNamed finds a webhook by its name or id.
func webhookNamed(ctx context.Context, d *client.Daemon, name string) (client.Webhook, error) {
	list, err := client.Decode[client.WebhookList](d.ListWebhooks(ctx))
	if err != nil {
		return client.Webhook{}, err
	}
	for _, w := range list.Items {
		if w.Name == name || w.Id == name {
			return w, nil
		}
	}
	return client.Webhook{}, fleet.Errorf(fleet.NotFound, "there is no webhook %q", name).WithHint("see them with: lxdfleet webhook list")
}

func (t *tool) webhookList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the webhooks", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			list, err := client.Decode[client.WebhookList](d.ListWebhooks(c.Context()))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, w := range list.Items {
					rows[i] = []string{w.Name, w.Url, orAll(w.Events), orAll(w.Tenants), yesNo(w.Disabled)}
				}
				return t.printTable([]string{"NAME", "ADDRESS", "EVENTS", "TENANTS", "DISABLED"}, rows)
			})
		},
	}
}

func orAll(words []string) string {
	if len(words) == 0 {
		return "all"
	}
	return strings.Join(words, ", ")
}

// onWebhook makes a verb for one webhook.
func (t *tool) onWebhook(use, short string, do func(ctx context.Context, d *client.Daemon, w client.Webhook) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: arguments(1, 1), ValidArgsFunction: t.words(1, webhookNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			w, err := webhookNamed(c.Context(), d, args[0])
			if err != nil {
				return err
			}
			return do(c.Context(), d, w)
		},
	}
}

func (t *tool) webhookShow() *cobra.Command {
	return t.onWebhook("show NAME", "Show a webhook", func(_ context.Context, _ *client.Daemon, w client.Webhook) error {
		return t.showWebhook(w)
	})
}

func (t *tool) showWebhook(w client.Webhook) error {
	return t.print(w, func() error {
		return t.printFields("Name", w.Name, "ID", w.Id, "Address", w.Url, "Events", orAll(w.Events), "Tenants", orAll(w.Tenants),
			"Private addresses", yesNo(w.AllowPrivate), "Disabled", yesNo(w.Disabled), "Created", t.when(w.CreatedAt), "Changed", t.when(w.UpdatedAt))
	})
}

// showSecret prints a webhook's secret where it is new.
func (t *tool) showSecret(made client.WebhookSecret) error {
	if made.Secret == "" {
		return t.showWebhook(made.Webhook)
	}
	return t.print(made, func() error {
		fmt.Fprintf(t.Err, "Webhook %s sends to %s. What it sends is signed with this secret, which is not shown again:\n", made.Webhook.Name, made.Webhook.Url)
		_, err := fmt.Fprintln(t.Out, made.Secret)
		return err
	})
}

const (
	eventHelp  = "`type` of event, such as tenant.changed, or tenant. for all of them; several times (default: all)"
	hookTenant = "`name` of a tenant, the only ones it is told of; several times (default: all)"
	privateUse = "let it lead to addresses that are not public, and to http"
)

func (t *tool) webhookCreate() *cobra.Command {
	var w client.WebhookCreate
	c := &cobra.Command{
		Use: "create NAME ADDRESS", Short: "Have an address told what happens", Args: arguments(2, 2),
		Example: "  lxdfleet webhook create crm https://crm.example.org/hooks/lxdfleet --event tenant. --event job.changed",
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			w.Name, w.Url = args[0], args[1]
			made, err := client.Decode[client.WebhookSecret](d.CreateWebhook(c.Context(), nil, w))
			if err != nil {
				return err
			}
			return t.showSecret(made)
		},
	}
	c.Flags().StringSliceVar(&w.Events, "event", nil, eventHelp)
	c.Flags().StringSliceVar(&w.Tenants, "tenant", nil, hookTenant)
	complete(c, "tenant", t.words(-1, tenantNames))
	c.Flags().BoolVar(&w.AllowPrivate, "allow-private", false, privateUse)
	return c
}

func (t *tool) webhookSet() *cobra.Command {
	var name, address string
	var events, tenants []string
	var private, disable, enable, secret bool
	c := t.onWebhook("set NAME", "Change a webhook", nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		d, err := t.daemon()
		if err != nil {
			return err
		}
		w, err := webhookNamed(c.Context(), d, args[0])
		if err != nil {
			return err
		}
		edit := client.WebhookEdit{NewSecret: secret}
		given := c.Flags().Changed
		if given("name") {
			edit.Name = &name
		}
		if given("url") {
			edit.Url = &address
		}
		if given("event") {
			edit.Events = listOf(events)
		}
		if given("tenant") {
			edit.Tenants = listOf(tenants)
		}
		if given("allow-private") {
			edit.AllowPrivate = &private
		}
		if disable || enable {
			edit.Disabled = &disable
		}
		made, err := client.Decode[client.WebhookSecret](d.EditWebhook(c.Context(), w.Id, nil, edit))
		if err != nil {
			return err
		}
		return t.showSecret(made)
	}
	c.Flags().StringVar(&name, "name", "", "another `name`")
	c.Flags().StringVar(&address, "url", "", "another `address`")
	c.Flags().StringSliceVar(&events, "event", nil, eventHelp+", instead of those before; empty: all")
	c.Flags().StringSliceVar(&tenants, "tenant", nil, hookTenant+", instead of those before; empty: all")
	complete(c, "tenant", t.words(-1, tenantNames))
	c.Flags().BoolVar(&private, "allow-private", false, privateUse)
	c.Flags().BoolVar(&disable, "disable", false, "send nothing any more")
	c.Flags().BoolVar(&enable, "enable", false, "send again")
	c.Flags().BoolVar(&secret, "new-secret", false, "sign with another secret from now on, and print it")
	apart(c, "disable", "enable")
	return c
}

// listOf gives the words of a flag; none where only the empty word was given.
func listOf(words []string) *[]string {
	if len(words) == 1 && words[0] == "" {
		words = []string{}
	}
	return &words
}

func (t *tool) webhookTest() *cobra.Command {
	return t.onWebhook("test NAME", "Send a webhook an event of type webhook.ping", func(ctx context.Context, d *client.Daemon, w client.Webhook) error {
		sent, err := client.Decode[client.Delivery](d.TestWebhook(ctx, w.Id, nil))
		if err != nil {
			return err
		}
		return t.print(sent, func() error {
			_, err := fmt.Fprintf(t.Out, "Delivery %s is on its way; see what becomes of it: lxdfleet webhook deliveries %s\n", sent.Id, w.Name)
			return err
		})
	})
}

func (t *tool) webhookDeliveries() *cobra.Command {
	var state string
	limit := 50
	c := t.onWebhook("deliveries NAME", "List what was sent to a webhook, or is to be, the newest first", func(ctx context.Context, d *client.Daemon, w client.Webhook) error {
		list, err := client.Decode[client.DeliveryList](d.ListDeliveries(ctx, w.Id, &client.ListDeliveriesParams{State: client.DeliveryState(state), Limit: &limit}))
		if err != nil {
			return err
		}
		return t.print(list.Items, func() error {
			rows := make([][]string, len(list.Items))
			for i, x := range list.Items {
				status := ""
				if x.Status != 0 {
					status = strconv.Itoa(x.Status)
				}
				rows[i] = []string{x.Id, x.Type, x.Subject, string(x.State), strconv.Itoa(x.Attempts), status, x.Error, t.ago(x.CreatedAt), t.ago(x.NextAt)}
			}
			return t.printTable([]string{"ID", "TYPE", "SUBJECT", "STATE", "TRIES", "STATUS", "ERROR", "CREATED", "NEXT"}, rows)
		})
	})
	c.Flags().StringVar(&state, "state", "", "only in this `state`: pending, delivered, dead")
	fixed(c, "state", "pending", "delivered", "dead")
	c.Flags().IntVar(&limit, "limit", 50, "how many, 1 to 1000; a `number`")
	return c
}

func (t *tool) webhookReplay() *cobra.Command {
	return &cobra.Command{
		Use: "replay ID...", Short: "Send deliveries again that are dead, or were delivered", Args: arguments(1, -1),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			for _, id := range args {
				sent, err := client.Decode[client.Delivery](d.ReplayDelivery(c.Context(), id, nil))
				if err != nil {
					return err
				}
				if err := t.print(sent, func() error {
					_, err := fmt.Fprintf(t.Out, "Delivery %s is on its way again\n", sent.Id)
					return err
				}); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (t *tool) webhookDelete() *cobra.Command {
	c := t.onWebhook("delete NAME", "Remove a webhook, and what is on its way to it", func(ctx context.Context, d *client.Daemon, w client.Webhook) error {
		body, err := client.Open(d.DeleteWebhook(ctx, w.Id, nil))
		if err != nil {
			return err
		}
		body.Close()
		return t.print(map[string]string{"deleted": w.Name}, func() error {
			_, err := fmt.Fprintf(t.Out, "Webhook %s is deleted\n", w.Name)
			return err
		})
	})
	c.Aliases = []string{"rm"}
	return c
}
