package cli

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// guardFlags are what tenant guard can change.
type guardFlags struct {
	allow, deny            []string
	rate, ratePerAddress   float64
	burst, burstPerAddress int
	maxInFlight            int
	maxBody, hsts, headers string
	reset                  bool
}

func (t *tool) tenantGuard() *cobra.Command {
	var f guardFlags
	c := &cobra.Command{
		Use: "guard TENANT", Short: "Show or change what a tenant's visitors may do", Args: arguments(1, 1), ValidArgsFunction: t.words(1, tenantNames),
		Long: "Show or change what a tenant's visitors may do: without flags the rules are shown, flags\n" +
			"change those they name. 0, off and an empty value take a rule away.",
		Example: "  lxdfleet tenant guard acme --rate-per-address 5 --max-body 2GiB\n" +
			"  lxdfleet tenant guard acme --allow 203.0.113.0/24,2001:db8::/32 --hsts 1y,subdomains\n" +
			"  lxdfleet tenant guard acme --reset",
		RunE: func(c *cobra.Command, args []string) error {
			edit, changes, err := f.edit(c.Flags().Changed)
			if err != nil {
				return err
			}
			d, err := t.daemon()
			if err != nil {
				return err
			}
			switch {
			case f.reset && changes:
				return usagef("--reset goes alone")
			case f.reset:
				x, err := client.Decode[client.Tenant](d.DropGuard(c.Context(), args[0], nil))
				return t.said(x, err, "has no rules of its own")
			case changes:
				x, err := client.Decode[client.Tenant](d.EditGuard(c.Context(), args[0], nil, edit))
				return t.said(x, err, "is guarded: "+guardWords(x.Guard))
			}
			x, err := client.Decode[client.Tenant](d.GetTenant(c.Context(), args[0]))
			if err != nil {
				return err
			}
			return t.showGuard(x)
		},
	}
	f.define(c)
	return c
}

func (f *guardFlags) define(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.allow, "allow", nil, "let only these `networks` in")
	c.Flags().StringSliceVar(&f.deny, "deny", nil, "do not let these `networks` in")
	c.Flags().Float64Var(&f.rate, "rate", 0, "`requests` per second of all visitors together")
	c.Flags().IntVar(&f.burst, "burst", 0, "`requests` that may come at once")
	c.Flags().Float64Var(&f.ratePerAddress, "rate-per-address", 0, "`requests` per second of one address")
	c.Flags().IntVar(&f.burstPerAddress, "burst-per-address", 0, "`requests` of one address that may come at once")
	c.Flags().IntVar(&f.maxInFlight, "max-in-flight", 0, "`requests` that may be with the tenant at once")
	c.Flags().StringVar(&f.maxBody, "max-body", "", "largest `size` of a request's body, such as 2GiB")
	c.Flags().StringVar(&f.hsts, "hsts", "", "`time`[,subdomains,preload] for which browsers come by HTTPS only, such as 1y")
	c.Flags().StringVar(&f.headers, "security-headers", "", "`on|off`: add security headers where answers have none")
	c.Flags().BoolVar(&f.reset, "reset", false, "take all rules away")
	fixed(c, "security-headers", "on", "off")
}

// edit gives the change that was asked for, and whether there is one.
func (f *guardFlags) edit(changed func(flag string) bool) (edit client.GuardEdit, some bool, _ error) {
	some = changed("security-headers")
	if some {
		on := f.headers == "on"
		if !on && f.headers != "off" {
			return edit, some, usagef("--security-headers is on or off, not %q", f.headers)
		}
		edit.SecurityHeaders = &on
	}
	take(changed("allow"), &edit.Allow, &f.allow, &some)
	take(changed("deny"), &edit.Deny, &f.deny, &some)
	take(changed("rate"), &edit.RequestsPerSecond, &f.rate, &some)
	take(changed("burst"), &edit.Burst, &f.burst, &some)
	take(changed("rate-per-address"), &edit.PerAddressPerSecond, &f.ratePerAddress, &some)
	take(changed("burst-per-address"), &edit.PerAddressBurst, &f.burstPerAddress, &some)
	take(changed("max-in-flight"), &edit.MaxInFlight, &f.maxInFlight, &some)
	take(changed("max-body"), &edit.MaxBody, &f.maxBody, &some)
	take(changed("hsts"), &edit.Hsts, &f.hsts, &some)
	return edit, some, nil
}

func take[T any](given bool, into **T, value *T, some *bool) {
	if given {
		*into, *some = value, true
	}
}

// guardPairs are pairs of a flag and its value, empty where there is no rule.
func guardPairs(g *client.Guard) []string {
	if g == nil {
		g = &client.Guard{}
	}
	headers := ""
	if g.SecurityHeaders {
		headers = "on"
	}
	return []string{
		"allow", strings.Join(g.Allow, ","), "deny", strings.Join(g.Deny, ","),
		"rate", number(g.RequestsPerSecond), "burst", number(float64(g.Burst)),
		"rate-per-address", number(g.PerAddressPerSecond), "burst-per-address", number(float64(g.PerAddressBurst)),
		"max-in-flight", number(float64(g.MaxInFlight)), "max-body", g.MaxBody, "hsts", g.Hsts, "security-headers", headers,
	}
}

func number(n float64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

// guardWords are the rules on one line.
func guardWords(g *client.Guard) string {
	var words []string
	for pair := range slices.Chunk(guardPairs(g), 2) {
		if pair[1] != "" {
			words = append(words, pair[0]+" "+pair[1])
		}
	}
	return cmp.Or(strings.Join(words, ", "), "no rules of its own")
}

func (t *tool) showGuard(x client.Tenant) error {
	g := x.Guard
	if g == nil {
		g = &client.Guard{}
	}
	return t.print(g, func() error {
		if x.Guard == nil {
			return t.said(x, nil, "has no rules of its own")
		}
		return t.printFields(guardPairs(g)...)
	})
}
