package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) tenantCreate() *cobra.Command {
	var spec client.TenantCreate
	var labels []string
	var admin client.Admin
	c := &cobra.Command{
		Use: "create NAME --image IMAGE [flags]", Short: "Clone a tenant from a golden image", Args: arguments(1, 1),
		Example:           "  lxdfleet tenant create acme --image wordpress --domain acme.localhost --plan small",
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if spec.Image == "" {
			return usagef("--image is missing; lxdfleet image list shows what there is")
		}
		if spec.Labels, err = parsePairs("label", labels); err != nil {
			return err
		}
		spec.Name = args[0]
		if admin != (client.Admin{}) {
			spec.Admin = &admin
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		answer, err := d.CreateTenant(c.Context(), &client.CreateTenantParams{IdempotencyKey: w.key}, spec)
		return w.job(c.Context(), d, func(client.Job) error { return t.welcome(c.Context(), d, spec.Name) }, answer, err)
	}
	f := c.Flags()
	f.StringVar(&spec.Image, "image", "", "golden image, `name` or name/version")
	f.StringVar(&spec.Plan, "plan", "", "`plan`; lxdfleet plan list shows them")
	f.StringVar(&spec.Policy, "policy", "", "`policy` that says when it is snapshotted and backed up; lxdfleet policy list shows them")
	f.StringVar(&spec.TimeZone, "time-zone", "", "`zone` that the policy is read in, such as Europe/Berlin (default: the policy's)")
	f.StringSliceVar(&spec.Domains, "domain", nil, "`host` it is served at; may be repeated, the first is the primary one")
	f.StringArrayVar(&labels, "label", nil, "label, `key=value`; may be repeated")
	f.StringVar(&spec.Member, "member", "", "`member` to place it on (default: placement chooses)")
	wishFlags(f, &spec.Wishes)
	f.BoolVar(&spec.Wishes.Pinned, "pin", false, "keep it on its member whatever becomes of the member")
	f.StringVar(&spec.DisplayName, "display-name", "", "`name` for people")
	f.StringVar(&admin.Email, "admin-email", "", "mail `address` of who administers the application first")
	f.StringVar(&admin.Name, "admin-name", "", "`name` of who administers the application first, for people")
	f.StringVar(&spec.Contact, "contact", "", "whom to tell when something is wrong, such as a mail `address`")
	complete(c, "image", t.words(-1, imageNames))
	complete(c, "plan", t.words(-1, planNames))
	complete(c, "policy", t.words(-1, policyNames))
	complete(c, "member", t.words(-1, memberNames))
	return c
}

// welcome says where a new tenant is and where its credentials are.
func (t *tool) welcome(ctx context.Context, d *client.Daemon, name string) error {
	x, err := client.Decode[client.Tenant](d.GetTenant(ctx, name))
	if err != nil {
		return err
	}
	at := ""
	if x.Url != "" {
		at = " at " + x.Url
	}
	fmt.Fprintf(t.Out, "Tenant %s is %s%s\n", x.Name, x.Status, at)
	for _, domain := range x.PendingDomains {
		fmt.Fprintf(t.Out, "Not served before it is proven: %s; see lxdfleet domain show %s\n", domain, domain)
	}
	image, version := splitRef(x.Image)
	i, err := client.Decode[client.Image](d.GetImage(ctx, image, version))
	if err == nil && slices.Contains(i.Hooks, "personalize") {
		fmt.Fprintf(t.Out, "Its credentials: lxdfleet tenant credentials %s --show\n", x.Name)
	}
	return nil
}
