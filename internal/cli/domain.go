package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) domainCommand() *cobra.Command {
	return t.group("domain", "Hosts that tenants are served at: add, list, show, check, primary, remove",
		t.domainAdd(), t.domainList(), t.domainShow(), t.domainCheck(), t.domainPrimary(), t.domainRemove())
}

func (t *tool) domainAdd() *cobra.Command {
	var spec client.DomainAdd
	var redirect string
	var code int
	c := &cobra.Command{
		Use: "add TENANT DOMAIN", Short: "Give a tenant a domain", Args: arguments(2, 2), ValidArgsFunction: t.words(1, tenantNames),
		Long: "Give a tenant a domain, or change how it serves one that it has. A wildcard such as\n" +
			"*.client.example stands for every host with one label more. A name of the public DNS is\n" +
			"served once a TXT record proves that its owner wants it; the output says which.",
		Example: "  lxdfleet domain add acme www.client.example --primary\n  lxdfleet domain add acme client.example --redirect-to primary",
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case redirect == "primary":
				spec.Redirect = code
			case redirect != "":
				return usagef("--redirect-to %q: a domain can redirect to the primary one only; write --redirect-to primary", redirect)
			case c.Flags().Changed("code"):
				return usagef("--code goes with --redirect-to primary")
			}
			spec.Domain = args[1]
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.Domain](d.AddDomain(c.Context(), args[0], nil, spec))
			if err != nil {
				return err
			}
			return t.print(x, func() error { return t.domainSaid(x) })
		},
	}
	c.Flags().BoolVar(&spec.Primary, "primary", false, "make it the tenant's primary domain")
	c.Flags().StringVar(&redirect, "redirect-to", "", "send its visitors to the `primary` domain")
	c.Flags().IntVar(&code, "code", 308, "status of the redirect, 301 or 308")
	fixed(c, "redirect-to", "primary")
	fixed(c, "code", "301", "308")
	return c
}

// domainSaid tells in a sentence what a domain is, and what to do where it is not served.
func (t *tool) domainSaid(x client.Domain) error {
	what := "is served"
	switch {
	case x.State == client.DomainStatePending:
		what = "is not served yet: its owner has to prove that it may be"
	case x.Target != "":
		what = fmt.Sprintf("redirects to %s (%d)", x.Target, x.Redirect)
	case x.Primary:
		what = "is the primary domain"
	}
	fmt.Fprintf(t.Out, "Domain %s of tenant %s %s\n", x.Domain, x.Tenant, what)
	return t.toSet(x)
}

// toSet lists the DNS records that are missing.
func (t *tool) toSet(x client.Domain) error {
	if len(x.ToSet) == 0 {
		return nil
	}
	fmt.Fprintln(t.Out, "Set in DNS:")
	for _, r := range x.ToSet {
		value := r.Value
		if r.Type == "TXT" {
			value = `"` + value + `"`
		}
		fmt.Fprintf(t.Out, "  %s  %s  %s\n", printable(r.Name), r.Type, printable(value))
	}
	if x.State == client.DomainStatePending {
		fmt.Fprintf(t.Out, "It is looked for by itself; at once with: lxdfleet domain check %s\n", x.Domain)
	}
	return nil
}

func (t *tool) domainList() *cobra.Command {
	var state string
	c := &cobra.Command{
		Use: "list [TENANT]", Aliases: []string{"ls"}, Short: "List domains", Args: arguments(0, 1), ValidArgsFunction: t.words(1, tenantNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			domains, err := domainsOf(c.Context(), d, args, state)
			if err != nil {
				return err
			}
			return t.print(domains, func() error {
				rows := make([][]string, len(domains))
				for i, x := range domains {
					role := ""
					if x.Primary {
						role = "primary"
					} else if x.Target != "" {
						role = fmt.Sprintf("%d to %s", x.Redirect, x.Target)
					}
					rows[i] = []string{x.Domain, x.Unicode, x.Tenant, string(x.State), role}
				}
				return t.printTable([]string{"DOMAIN", "AS WRITTEN", "TENANT", "STATE", "ROLE"}, rows)
			})
		},
	}
	c.Flags().StringVar(&state, "state", "", "only those in this `state`: active, pending")
	fixed(c, "state", "active", "pending")
	return c
}

// domainsOf reads all pages, or the domains of one tenant. It never gives nil.
func domainsOf(ctx context.Context, d *client.Daemon, tenant []string, state string) ([]client.Domain, error) {
	domains, limit := []client.Domain{}, 1000
	if len(tenant) > 0 {
		list, err := client.Decode[client.DomainList](d.ListTenantDomains(ctx, tenant[0]))
		for _, x := range list.Items {
			if state == "" || string(x.State) == state {
				domains = append(domains, x)
			}
		}
		return domains, err
	}
	p := client.ListDomainsParams{Limit: &limit, State: client.DomainState(state)}
	for {
		page, err := client.Decode[client.DomainList](d.ListDomains(ctx, &p))
		if err != nil {
			return nil, err
		}
		domains = append(domains, page.Items...)
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			return domains, nil
		}
	}
}

func (t *tool) domainShow() *cobra.Command {
	return &cobra.Command{
		Use: "show DOMAIN", Short: "Show a domain, with what DNS and its certificate say now", Args: arguments(1, 1),
		ValidArgsFunction: t.words(1, domainNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.Domain](d.GetDomain(c.Context(), args[0]))
			if err != nil {
				return err
			}
			return t.print(x, func() error { return t.describeDomain(x) })
		},
	}
}

func (t *tool) describeDomain(x client.Domain) error {
	redirect := ""
	if x.Target != "" {
		redirect = fmt.Sprintf("to %s (%d)", x.Target, x.Redirect)
	}
	fields := []string{
		"Domain", x.Domain, "As written", x.Unicode, "Tenant", x.Tenant, "State", string(x.State),
		"Primary", yesNo(x.Primary), "Redirects", redirect, "Proven", t.ago(x.VerifiedAt),
	}
	if k := x.Check; k != nil {
		fields = append(fields, "Proof", k.Error, "Looked for it", t.ago(k.At), "Looks again", t.ago(k.Next))
	}
	if n := x.Dns; n != nil {
		fields = append(fields, "Addresses", strings.Join(n.Addresses, ", "), "CNAME", n.Cname,
			"TXT", strings.Join(n.Proof, ", "), "DNS", n.Error)
	}
	if k := x.Certificate; k != nil {
		fields = append(fields, "Certificate", string(k.State), "Issuer", k.Issuer, "Valid from", t.ago(k.NotBefore), "Expires", t.ago(k.NotAfter),
			"Last error", k.LastError, "Tried", t.ago(k.LastTry), "Tries again", t.ago(k.NextTry))
	}
	if err := t.printFields(fields...); err != nil {
		return err
	}
	return t.toSet(x)
}

func (t *tool) domainCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check DOMAIN", Short: "Look for a domain's proof again now, and retry its certificate", Args: arguments(1, 1),
		ValidArgsFunction: t.words(1, domainNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.Domain](d.CheckDomain(c.Context(), args[0], nil))
			if err != nil {
				return err
			}
			return t.print(x, func() error { return t.describeDomain(x) })
		},
	}
}

func (t *tool) domainPrimary() *cobra.Command {
	return &cobra.Command{
		Use: "primary TENANT DOMAIN", Short: "Make a domain its tenant's primary one", Args: arguments(2, 2),
		ValidArgsFunction: func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return t.words(2, domainNames)(c, args, typed)
			}
			return t.words(1, tenantNames)(c, args, typed)
		},
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			// Adding says whose domain it is where it is another tenant's.
			x, err := client.Decode[client.Domain](d.AddDomain(c.Context(), args[0], nil, client.DomainAdd{Domain: args[1], Primary: true}))
			if err != nil {
				return err
			}
			return t.print(x, func() error { return t.domainSaid(x) })
		},
	}
}

func (t *tool) domainRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove DOMAIN...", Aliases: []string{"rm", "delete"}, Short: "Take domains from their tenants", Args: arguments(1, -1),
		ValidArgsFunction: t.words(-1, domainNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			for _, domain := range args {
				body, err := client.Open(d.RemoveDomain(c.Context(), domain, nil))
				if err != nil {
					return err
				}
				body.Close()
				if err := t.print(map[string]string{"removed": domain}, func() error {
					_, err := fmt.Fprintf(t.Out, "Domain %s is removed\n", domain)
					return err
				}); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func domainNames(ctx context.Context, d *client.Daemon) ([]string, error) {
	domains, err := domainsOf(ctx, d, nil, "")
	return namesOf(domains, func(x client.Domain) string { return x.Domain }), err
}
