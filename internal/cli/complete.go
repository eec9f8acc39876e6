package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// completer gives words for an argument or flag.
type completer = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// words completes from the daemon; where it does not answer there is nothing to offer. The
// shell filters by what was typed.
func (t *tool) words(most int, list func(ctx context.Context, d *client.Daemon) ([]string, error)) completer {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if most >= 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(c.Context(), 2*time.Second)
		defer cancel()
		d, err := t.daemon()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, err := list(ctx, d)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// fixed completes a flag from a list.
func fixed(c *cobra.Command, flag string, values ...string) {
	complete(c, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

func complete(c *cobra.Command, flag string, with completer) {
	if err := c.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic(err) // the flag is not there: a mistake in this package that every run shows
	}
}

func tenantNames(ctx context.Context, d *client.Daemon) ([]string, error) {
	tenants, err := allTenants(ctx, d, client.ListTenantsParams{})
	return namesOf(tenants, func(t client.Tenant) string { return t.Name }), err
}

func planNames(ctx context.Context, d *client.Daemon) ([]string, error) {
	list, err := client.Decode[client.PlanList](d.ListPlans(ctx))
	return namesOf(list.Items, func(p client.Plan) string { return p.Name }), err
}

func memberNames(ctx context.Context, d *client.Daemon) ([]string, error) {
	list, err := client.Decode[client.MemberList](d.ListMembers(ctx))
	return namesOf(list.Items, func(m client.Member) string { return m.Name }), err
}

func imageNames(ctx context.Context, d *client.Daemon) ([]string, error) {
	list, err := client.Decode[client.ImageList](d.ListImages(ctx, nil))
	var names []string
	for _, i := range list.Items {
		if i.Current {
			names = append(names, i.Name)
		}
		names = append(names, i.Name+"/"+i.Version)
	}
	return names, err
}

func adoptableNames(ctx context.Context, d *client.Daemon) ([]string, error) {
	list, err := client.Decode[client.AdoptableList](d.ListAdoptable(ctx))
	var names []string
	for _, a := range list.Items {
		if a.Obstacle == "" {
			names = append(names, a.Name)
		}
	}
	return names, err
}

func jobIDs(ctx context.Context, d *client.Daemon) ([]string, error) {
	list, err := client.Decode[client.JobList](d.ListJobs(ctx, nil))
	return namesOf(list.Items, func(j client.Job) string { return j.Id + "\t" + j.Kind + " " + j.Subject }), err
}

func namesOf[T any](items []T, name func(T) string) []string {
	names := make([]string, len(items))
	for i, item := range items {
		names[i] = name(item)
	}
	return names
}
