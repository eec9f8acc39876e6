package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) tenantMaintenance() *cobra.Command {
	var spec client.MaintenanceStart
	var file string
	c := &cobra.Command{
		Use: "maintenance TENANT on|off", Short: "Close a tenant to visitors, or open it again", Args: arguments(2, 2),
		Long: "Close a tenant to its visitors, who see a page with status 503, or open it again. The\n" +
			"instance goes on as it is.",
		Example:           "  lxdfleet tenant maintenance acme on --message \"We are back at noon\" --for 2h\n  lxdfleet tenant maintenance acme off",
		ValidArgsFunction: t.tenantAnd("on", "off"),
		RunE: func(c *cobra.Command, args []string) error {
			if args[1] != "on" && args[1] != "off" {
				return usagef("%q is neither on nor off", args[1])
			}
			if args[1] == "off" && c.Flags().NFlag() > 0 && (spec != client.MaintenanceStart{} || file != "") {
				return usagef("--message, --page and --for go with on")
			}
			if file != "" {
				page, err := os.ReadFile(file)
				if err != nil {
					return usageError{err}
				}
				spec.Page = string(page)
			}
			d, err := t.daemon()
			if err != nil {
				return err
			}
			if args[1] == "off" {
				x, err := client.Decode[client.Tenant](d.EndMaintenance(c.Context(), args[0], nil))
				return t.said(x, err, "is open to visitors")
			}
			x, err := client.Decode[client.Tenant](d.StartMaintenance(c.Context(), args[0], nil, spec))
			return t.said(x, err, "is closed to visitors"+t.until(x.Maintenance))
		},
	}
	c.Flags().StringVar(&spec.Message, "message", "", "`text` for visitors")
	c.Flags().StringVar(&file, "page", "", "HTML `file` to show instead of the usual page, 64 KiB at most")
	c.Flags().StringVar(&spec.For, "for", "", "open it again after this `time`, such as 30m")
	return c
}

func (t *tool) until(m *client.Maintenance) string {
	if m == nil || m.Until.IsZero() {
		return ""
	}
	return ", until " + t.ago(m.Until)
}

// said shows a tenant that was changed, or says what is so now where people read it.
func (t *tool) said(x client.Tenant, err error, now string) error {
	if err != nil {
		return err
	}
	return t.print(x, func() error {
		_, err := fmt.Fprintf(t.Out, "Tenant %s %s\n", x.Name, now)
		return err
	})
}

// tenantAnd completes a tenant and then one of the words.
func (t *tool) tenantAnd(words ...string) completer {
	return func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return words, cobra.ShellCompDirectiveNoFileComp
		}
		return t.words(1, tenantNames)(c, args, typed)
	}
}

func (t *tool) tenantHold() *cobra.Command {
	var spec client.HoldRequest
	c := &cobra.Command{
		Use: "hold TENANT", Short: "Have a tenant's requests wait", Args: arguments(1, 1), ValidArgsFunction: t.words(1, tenantNames),
		Long: "Have a tenant's requests wait, each for proxy.hold_timeout at most, until every reason is\n" +
			"taken away with lxdfleet tenant resume. Reasons survive a restart of the daemon.",
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.Tenant](d.HoldTenant(c.Context(), args[0], nil, spec))
			return t.said(x, err, "is held: "+holds(x))
		},
	}
	c.Flags().StringVar(&spec.Reason, "reason", "", "`word` for why (default: operator)")
	c.Flags().StringVar(&spec.For, "for", "", "resume by itself after this `time`, such as 30s")
	return c
}

func holds(x client.Tenant) string {
	return strings.Join(namesOf(x.Holds, func(h client.Hold) string { return h.Reason }), ", ")
}

func (t *tool) tenantResume() *cobra.Command {
	var p client.ResumeTenantParams
	c := &cobra.Command{
		Use: "resume TENANT", Short: "Let a tenant's held requests go on", Args: arguments(1, 1), ValidArgsFunction: t.words(1, tenantNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.Tenant](d.ResumeTenant(c.Context(), args[0], &p))
			now := "is held no more"
			if len(x.Holds) > 0 {
				now = "is still held: " + holds(x)
			}
			return t.said(x, err, now)
		},
	}
	c.Flags().StringVar(&p.Reason, "reason", "", "take only this `word` away (default: all)")
	return c
}
