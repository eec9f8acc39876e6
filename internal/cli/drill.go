package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) drillCommand() *cobra.Command {
	return t.group("drill", "Restores that are tried out: run, list, show", t.drillRun(), t.drillList(), t.drillShow())
}

func (t *tool) drillRun() *cobra.Command {
	var spec client.DrillRun
	c := &cobra.Command{
		Use: "run [TENANT]", Short: "Try out whether a backup can be restored", Args: arguments(0, 1), ValidArgsFunction: t.words(1, tenantNames),
		Long: "Restore a backup into an instance without a network, boot it, look at its health and its\n" +
			"database, and throw it away. It is the newest backup of the tenant; or the one --backup names; or,\n" +
			"without either, that of the tenant whose last drill is the longest ago.",
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			spec.Tenant = args[0]
		}
		if spec.Tenant != "" && spec.Backup != "" {
			return usagef("name a tenant, or give --backup, not both")
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		answer, err := d.RunDrill(c.Context(), &client.RunDrillParams{IdempotencyKey: w.key}, spec)
		return w.job(c.Context(), d, func(j client.Job) error { return t.drilled(c.Context(), d, j) }, answer, err)
	}
	c.Flags().StringVar(&spec.Backup, "backup", "", "`id` of the backup to restore")
	complete(c, "backup", t.words(-1, backupIDs))
	return c
}

// drilled shows the drill that a job has made. One that failed is an error.
func (t *tool) drilled(ctx context.Context, d *client.Daemon, j client.Job) error {
	list, err := client.Decode[client.DrillList](d.ListDrills(ctx, nil))
	if err != nil {
		return err
	}
	for _, x := range list.Items {
		if x.Job != j.Id {
			continue
		}
		if err := t.describeDrill(x); err != nil {
			return err
		}
		if !x.Passed {
			return errSaid
		}
		return nil
	}
	_, err = fmt.Fprintln(t.Out, "The drill is over; see lxdfleet drill list")
	return err
}

func (t *tool) drillList() *cobra.Command {
	var p client.ListDrillsParams
	limit := 50
	c := &cobra.Command{
		Use: "list [TENANT]", Aliases: []string{"ls"}, Short: "List drills, newest first", Args: arguments(0, 1),
		ValidArgsFunction: t.words(1, tenantNames),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				p.Tenant = args[0]
			}
			d, err := t.daemon()
			if err != nil {
				return err
			}
			p.Limit = &limit
			list, err := client.Decode[client.DrillList](d.ListDrills(c.Context(), &p))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, x := range list.Items {
					rows[i] = []string{x.Id, x.Tenant, short(x.Backup), t.ago(x.At), passed(x), x.Rpo, rto(x), humanSize(x.Bytes), x.Error}
				}
				return t.printTable([]string{"ID", "TENANT", "BACKUP", "RUN", "RESULT", "RPO", "RTO", "SIZE", "ERROR"}, rows)
			})
		},
	}
	c.Flags().IntVarP(&limit, "limit", "n", 50, "at most this `many`")
	c.Flags().StringVar(&p.Backup, "backup", "", "only of the backup with this `id`")
	c.Flags().BoolVar(&p.Failed, "failed", false, "only those that failed")
	complete(c, "backup", t.words(-1, backupIDs))
	return c
}

func passed(x client.Drill) string {
	if x.Passed {
		return "passed"
	}
	return "failed"
}

// rto is the time a restore took; empty where nothing came of it.
func rto(x client.Drill) string {
	if !x.Passed {
		return ""
	}
	return x.Rto
}

func (t *tool) drillShow() *cobra.Command {
	return &cobra.Command{
		Use: "show DRILL", Short: "Show a drill and what was looked at", Args: arguments(1, 1), ValidArgsFunction: t.words(1, drillIDs),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.Drill](d.GetDrill(c.Context(), args[0]))
			if err != nil {
				return err
			}
			return t.print(x, func() error { return t.describeDrill(x) })
		},
	}
}

func (t *tool) describeDrill(x client.Drill) error {
	return t.printFields(
		"ID", x.Id, "Tenant", x.Tenant, "Backup", short(x.Backup), "Run", t.when(x.At), "Result", passed(x), "Error", x.Error,
		"Age of the backup (RPO)", x.Rpo, "Time to a healthy tenant (RTO)", rto(x), "Size", humanSize(x.Bytes),
		"Looked at", strings.Join(x.Checks, "; "), "Job", x.Job,
	)
}

func drillIDs(ctx context.Context, d *client.Daemon) ([]string, error) {
	list, err := client.Decode[client.DrillList](d.ListDrills(ctx, nil))
	return namesOf(list.Items, func(x client.Drill) string { return x.Id + "\t" + x.Tenant + " " + passed(x) }), err
}
