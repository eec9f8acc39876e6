package cli

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) policyCommand() *cobra.Command {
	return t.group("policy", "When tenants are snapshotted, backed up and drilled: create, list, set, plan, …",
		t.policyCreate(), t.policyList(), t.policyShow(), t.policySet(), t.policyDelete(), t.policyPlan())
}

const scheduleHelp = "Schedules are cron expressions of five fields (minute, hour, day of the month, month, day of the\n" +
	"week), or @hourly, @daily, @weekly, @monthly, @yearly. What is kept is written as\n" +
	"last=N,hourly=N,daily=N,weekly=N,monthly=N,yearly=N,min-age=TIME: the last ones, the newest of each\n" +
	"of so many hours, days and so on, and whatever is younger than min-age (such as 12h or 7d). Where\n" +
	"nothing is said all are kept. What is pinned stays in any case."

func (t *tool) policyCreate() *cobra.Command {
	given := map[string]*string{}
	c := &cobra.Command{
		Use: "create NAME [flags]", Short: "Make a policy", Args: arguments(1, 1), ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Make a policy. " + scheduleHelp + "\nA tenant gets it by: lxdfleet tenant set TENANT policy=NAME",
		Example: "  lxdfleet policy create nightly --time-zone Europe/Berlin \\\n" +
			"      --snapshots @hourly --keep-snapshots hourly=24,daily=7 \\\n" +
			"      --backups \"0 3 * * *\" --keep-backups daily=30,monthly=12 --drills @weekly",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		spec := client.PolicyCreate{Name: args[0], Description: *given["description"], TimeZone: *given["time-zone"]}
		for _, of := range []struct {
			what string
			into **client.Schedule
		}{{"snapshots", &spec.Snapshots}, {"backups", &spec.Backups}, {"drills", &spec.Drills}} {
			cron, rules := *given[of.what], *given["keep-"+of.what]
			if cron == "" && rules != "" {
				return usagef("--keep-%s goes with --%s", of.what, of.what)
			}
			if cron == "" {
				continue
			}
			keep, err := parseKeep("--keep-"+of.what, rules)
			if err != nil {
				return err
			}
			*of.into = &client.Schedule{Cron: cron, Keep: keep}
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		x, err := client.Decode[client.Policy](d.CreatePolicy(c.Context(), nil, spec))
		if err != nil {
			return err
		}
		return t.print(x, func() error {
			_, err := fmt.Fprintf(t.Out, "Policy %s is made; a tenant gets it by: lxdfleet tenant set TENANT policy=%s\n", x.Name, x.Name)
			return err
		})
	}
	for _, flag := range policyKeys {
		given[flag.name] = c.Flags().String(flag.name, "", flag.text)
	}
	return c
}

// policyKeys are what a policy consists of: flags of create, keys of set.
var policyKeys = []struct{ name, text string }{
	{"description", "a line of `text`"},
	{"time-zone", "`zone` that the schedules are read in, such as Europe/Berlin (default: the daemon's)"},
	{"snapshots", "when to snapshot, a `cron` expression"},
	{"keep-snapshots", "which snapshots to keep, `rules` such as hourly=24,daily=7"},
	{"backups", "when to back up, a `cron` expression"},
	{"keep-backups", "which backups to keep, `rules` such as daily=30,monthly=12"},
	{"drills", "when to restore a backup for a trial, a `cron` expression"},
	{"keep-drills", "which drills' results to keep, `rules` such as last=50"},
}

// parseKeep reads rules such as hourly=24,min-age=7d.
func parseKeep(flag, rules string) (client.Keep, error) {
	var keep client.Keep
	counts := map[string]*int{
		"last": &keep.Last, "hourly": &keep.Hourly, "daily": &keep.Daily, "weekly": &keep.Weekly, "monthly": &keep.Monthly, "yearly": &keep.Yearly,
	}
	if rules == "" {
		return keep, nil
	}
	for rule := range strings.SplitSeq(rules, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(rule), "=")
		if key == "min-age" && ok {
			keep.MinAge = value
			continue
		}
		count, known := counts[key]
		if !known || !ok {
			return keep, usagef("%s: %q is no rule; write last=N, hourly=N, daily=N, weekly=N, monthly=N, yearly=N or min-age=TIME, with commas between", flag, rule)
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return keep, usagef("%s: %q is not a number of how many to keep", flag, value)
		}
		*count = n
	}
	return keep, nil
}

// keepWords writes rules as parseKeep reads them.
func keepWords(k client.Keep) string {
	var rules []string
	for _, r := range []struct {
		name  string
		count int
	}{{"last", k.Last}, {"hourly", k.Hourly}, {"daily", k.Daily}, {"weekly", k.Weekly}, {"monthly", k.Monthly}, {"yearly", k.Yearly}} {
		if r.count > 0 {
			rules = append(rules, fmt.Sprintf("%s=%d", r.name, r.count))
		}
	}
	if len(rules) == 0 {
		return "all"
	}
	if k.MinAge != "" {
		rules = append(rules, "min-age="+k.MinAge)
	}
	return strings.Join(rules, ",")
}

func (t *tool) policyList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List policies", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			list, err := client.Decode[client.PolicyList](d.ListPolicies(c.Context()))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, x := range list.Items {
					rows[i] = []string{x.Name, cronOf(x.Snapshots), cronOf(x.Backups), cronOf(x.Drills), x.TimeZone, x.Description}
				}
				return t.printTable([]string{"NAME", "SNAPSHOTS", "BACKUPS", "DRILLS", "TIME ZONE", "DESCRIPTION"}, rows)
			})
		},
	}
}

func cronOf(s *client.Schedule) string {
	if s == nil {
		return ""
	}
	return s.Cron
}

func (t *tool) policyShow() *cobra.Command {
	return &cobra.Command{
		Use: "show POLICY", Short: "Show a policy", Args: arguments(1, 1), ValidArgsFunction: t.words(1, policyNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.Policy](d.GetPolicy(c.Context(), args[0]))
			if err != nil {
				return err
			}
			return t.print(x, func() error { return t.describePolicy(x) })
		},
	}
}

func (t *tool) describePolicy(x client.Policy) error {
	schedule := func(s *client.Schedule) string {
		if s == nil {
			return "none"
		}
		return s.Cron + ", keep " + keepWords(s.Keep)
	}
	return t.printFields(
		"Name", x.Name, "Description", x.Description, "Time zone", cmp.Or(x.TimeZone, "the daemon's"),
		"Snapshots", schedule(x.Snapshots), "Backups", schedule(x.Backups), "Drills", schedule(x.Drills),
		"Created", t.ago(x.CreatedAt), "Changed", t.ago(x.UpdatedAt),
	)
}

func (t *tool) policySet() *cobra.Command {
	return &cobra.Command{
		Use: "set POLICY KEY=VALUE...", Short: "Change a policy", Args: arguments(2, -1),
		Long: "Change a policy. The keys are description, time-zone, snapshots, keep-snapshots, backups,\n" +
			"keep-backups, drills and keep-drills. An empty schedule takes it away.\n\n" + scheduleHelp,
		Example: "  lxdfleet policy set nightly \"backups=30 2 * * *\" keep-backups=daily=30,monthly=12 drills=",
		ValidArgsFunction: func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return t.words(1, policyNames)(c, args, typed)
			}
			keys := make([]string, len(policyKeys))
			for i, k := range policyKeys {
				keys[i] = k.name + "="
			}
			return keys, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		},
		RunE: func(c *cobra.Command, args []string) error {
			spec, err := parsePolicyEdit(args[1:])
			if err != nil {
				return err
			}
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.Policy](d.EditPolicy(c.Context(), args[0], nil, spec))
			if err != nil {
				return err
			}
			return t.print(x, func() error { return t.describePolicy(x) })
		},
	}
}

// parsePolicyEdit reads KEY=VALUE arguments.
func parsePolicyEdit(given []string) (client.PolicyEdit, error) {
	var spec client.PolicyEdit
	schedules := map[string]**client.ScheduleEdit{"snapshots": &spec.Snapshots, "backups": &spec.Backups, "drills": &spec.Drills}
	for _, pair := range given {
		key, value, ok := strings.Cut(pair, "=")
		what, rules := strings.CutPrefix(key, "keep-")
		edit, known := schedules[what]
		if known && *edit == nil {
			*edit = &client.ScheduleEdit{}
		}
		switch {
		case !ok:
			return spec, usagef("%q is not of the form KEY=VALUE", pair)
		case key == "description":
			spec.Description = &value
		case key == "time-zone":
			spec.TimeZone = &value
		case known && rules:
			keep, err := parseKeep(key, value)
			if err != nil {
				return spec, err
			}
			(*edit).Keep = &keep
		case known:
			(*edit).Cron = &value
		default:
			return spec, usagef("a policy has no %q; lxdfleet policy set --help lists the keys", key)
		}
	}
	return spec, nil
}

func (t *tool) policyDelete() *cobra.Command {
	return &cobra.Command{
		Use: "delete POLICY...", Aliases: []string{"rm"}, Short: "Delete policies that no tenant has", Args: arguments(1, -1),
		ValidArgsFunction: t.words(-1, policyNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			return t.each(c.Context(), args, func(name string) error {
				body, err := client.Open(d.DeletePolicy(c.Context(), name, nil))
				if err != nil {
					return err
				}
				body.Close()
				return t.print(map[string]string{"deleted": name}, func() error {
					_, err := fmt.Fprintf(t.Out, "Policy %s is deleted\n", name)
					return err
				})
			})
		},
	}
}

func (t *tool) policyPlan() *cobra.Command {
	return &cobra.Command{
		Use: "plan TENANT", Short: "Show what a tenant's policy does next, and what it keeps and why", Args: arguments(1, 1),
		ValidArgsFunction: t.words(1, tenantNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.TenantSchedule](d.GetSchedule(c.Context(), args[0]))
			if err != nil {
				return err
			}
			return t.print(x, func() error { return t.describePlan(x) })
		},
	}
}

func (t *tool) describePlan(x client.TenantSchedule) error {
	if x.Policy == "" {
		_, err := fmt.Fprintf(t.Out, "Tenant %s has no policy; give it one with: lxdfleet tenant set %s policy=NAME\n", x.Tenant, x.Tenant)
		return err
	}
	fmt.Fprintf(t.Out, "Tenant %s, policy %s, time zone %s\n", x.Tenant, x.Policy, cmp.Or(x.TimeZone, "of the daemon"))
	var rows [][]string
	for _, run := range x.Runs {
		for i, at := range run.Next {
			row := []string{"", "", at.Format("Mon 2006-01-02 15:04 MST"), t.ago(at)}
			if i == 0 {
				row[0], row[1] = string(run.What), run.Cron
			}
			rows = append(rows, row)
		}
	}
	if err := t.printTable([]string{"WHAT", "SCHEDULE", "NEXT", ""}, rows); err != nil {
		return err
	}
	return cmp.Or(t.retained("SNAPSHOT", x.Snapshots), t.retained("BACKUP", x.Backups))
}

// retained lists what of a series stays; nothing where there is none of it.
func (t *tool) retained(name string, series []client.Retained) error {
	if len(series) == 0 {
		return nil
	}
	rows := make([][]string, len(series))
	for i, v := range series {
		if name == "BACKUP" {
			v.Name = short(v.Name)
		}
		rows[i] = []string{v.Name, t.ago(v.CreatedAt), yesNo(v.Keep), strings.Join(v.Reasons, "; ")}
	}
	return t.printTable([]string{name, "TAKEN", "KEPT", "WHY"}, rows)
}

func policyNames(ctx context.Context, d *client.Daemon) ([]string, error) {
	list, err := client.Decode[client.PolicyList](d.ListPolicies(ctx))
	return namesOf(list.Items, func(p client.Policy) string { return p.Name }), err
}
