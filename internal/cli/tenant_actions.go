package cli

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// send is one request about a tenant that answers with a job.
type send func(ctx context.Context, d *client.Daemon, name string) (*http.Response, error)

// onTenants makes a verb for one or more tenants; past says what then has happened. A failure
// of one does not keep the others from their turn.
func (t *tool) onTenants(verb, short string, past func() string, request send) *cobra.Command {
	c := &cobra.Command{
		Use: verb + " NAME...", Short: short, Args: arguments(1, -1), ValidArgsFunction: t.words(-1, tenantNames),
	}
	w := t.waitFlags(c)
	c.RunE = func(c *cobra.Command, names []string) error {
		d, err := t.daemon()
		if err != nil {
			return err
		}
		return t.each(c.Context(), names, func(name string) error { return t.onTenant(c.Context(), d, w, name, past(), request) })
	}
	return c
}

// onMany is onTenants for a verb that one job can do to many tenants; timeout, where not nil, is
// its flag.
func (t *tool) onMany(action client.BulkAction, short, past string, timeout *string, request send) *cobra.Command {
	c := t.onTenants(string(action), short, always("is "+past), request)
	m := &many{action: action}
	m.flags(c)
	w := &waiting{tool: t}
	w.keyFlag(c)
	c.Args = cobra.ArbitraryArgs
	c.Example = "  lxdfleet tenant " + string(action) + " acme\n  lxdfleet tenant " + string(action) + " --selector client=acme --at-once 8"
	if timeout != nil {
		c.Flags().StringVar(timeout, "timeout", "", "stop it by force after this `time`, such as 30s")
	}
	single := c.RunE
	c.RunE = func(c *cobra.Command, names []string) error {
		if !m.asked() {
			if err := arguments(1, -1)(c, names); err != nil {
				return err
			}
			if w.key != "" {
				return usagef("--idempotency-key is for one job: give --selector, --all or --at-once, too")
			}
			return single(c, names)
		}
		b, err := m.body(c, names)
		if err != nil {
			return err
		}
		if timeout != nil {
			b.Timeout = *timeout
		}
		w.noWait, _ = c.Flags().GetBool("no-wait")
		return t.bulk(c.Context(), w, b, past)
	}
	return c
}

func (t *tool) onTenant(ctx context.Context, d *client.Daemon, w *waiting, name, past string, request send) error {
	answer, err := request(ctx, d, name)
	return w.job(ctx, d, func(client.Job) error {
		_, err := fmt.Fprintf(t.Out, "Tenant %s %s\n", name, past)
		return err
	}, answer, err)
}

func always(past string) func() string { return func() string { return past } }

func (t *tool) tenantStart() *cobra.Command {
	return t.onMany(client.BulkActionStart, "Start tenants", "started", nil,
		func(ctx context.Context, d *client.Daemon, name string) (*http.Response, error) {
			return d.StartTenant(ctx, name, nil)
		})
}

func (t *tool) tenantStop() *cobra.Command {
	var timeout string
	return t.onMany(client.BulkActionStop, "Stop tenants cleanly", "stopped", &timeout,
		func(ctx context.Context, d *client.Daemon, name string) (*http.Response, error) {
			return d.StopTenant(ctx, name, &client.StopTenantParams{Timeout: timeout})
		})
}

func (t *tool) tenantRestart() *cobra.Command {
	var timeout string
	return t.onMany(client.BulkActionRestart, "Stop tenants cleanly and start them again", "restarted", &timeout,
		func(ctx context.Context, d *client.Daemon, name string) (*http.Response, error) {
			return d.RestartTenant(ctx, name, &client.RestartTenantParams{Timeout: timeout})
		})
}

func (t *tool) tenantDelete() *cobra.Command {
	var now bool
	c := t.onTenants("delete", "Stop tenants and put them into the trash", func() string {
		if now {
			return "is deleted for good"
		}
		return "is in the trash"
	},
		func(ctx context.Context, d *client.Daemon, name string) (*http.Response, error) {
			return d.DeleteTenant(ctx, name, &client.DeleteTenantParams{Now: now})
		})
	c.Aliases = []string{"rm"}
	c.Long = "Stop tenants and put them into the trash, where they stay for the time that tenants.trash_for\n" +
		"sets. lxdfleet tenant undelete takes them out again."
	c.Flags().BoolVar(&now, "now", false, "skip the trash: the instance and all its data are gone for good")
	return c
}

func (t *tool) tenantUndelete() *cobra.Command {
	return t.onTenants("undelete", "Take tenants out of the trash and start them", always("is back"),
		func(ctx context.Context, d *client.Daemon, name string) (*http.Response, error) {
			return d.UndeleteTenant(ctx, name, nil)
		})
}

func (t *tool) tenantResize() *cobra.Command {
	m := many{action: client.BulkActionResize}
	c := &cobra.Command{
		Use: "resize [NAME...] PLAN", Short: "Give tenants another plan", Args: arguments(1, -1),
		Example: "  lxdfleet tenant resize acme medium\n  lxdfleet tenant resize --selector client=acme medium",
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	m.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		names, plan := args[:len(args)-1], args[len(args)-1]
		if m.asked() || len(names) > 1 {
			b, err := m.body(c, names)
			if err != nil {
				return err
			}
			b.Plan = plan
			return t.bulk(c.Context(), w, b, "have the plan "+plan)
		}
		if len(names) == 0 {
			return usagef("name the tenant and the plan: %s", c.UseLine())
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		answer, err := d.ResizeTenant(c.Context(), names[0], &client.ResizeTenantParams{IdempotencyKey: w.key}, client.TenantResize{Plan: plan})
		return w.job(c.Context(), d, func(client.Job) error {
			_, err := fmt.Fprintf(t.Out, "Tenant %s has the plan %s\n", names[0], plan)
			return err
		}, answer, err)
	}
	c.ValidArgsFunction = func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 || m.asked() {
			return t.words(-1, planNames)(c, args, typed)
		}
		return t.words(1, tenantNames)(c, args, typed)
	}
	return c
}
