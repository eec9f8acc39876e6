package cli

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) recoverCommand() *cobra.Command {
	var p client.RecoverParams
	var spec client.BackupRecover
	var noWait bool
	var keyFile string
	c := &cobra.Command{
		Use: "recover", Short: "Rebuild lost tenants from what LXD's instances say of themselves, or from backups", Args: arguments(0, 0),
		Long: "Rebuild images and tenants that the store lacks, with their domains and plans, from what LXD has.\n" +
			"With --from, where LXD has nothing any more either, from the backups: plans, policies and each\n" +
			"tenant's newest good backup. They need not be where this daemon keeps its own: it then only reads\n" +
			"there. What is there is left as it is, and it can be repeated.",
		Example: "  lxdfleet recover --dry-run\n  lxdfleet recover --from s3://backups/fleet --key-file -",
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			if c.Flags().Changed("from") {
				spec.DryRun = p.DryRun
				if spec.Key, err = t.keyIn(keyFile); err != nil {
					return err
				}
				return t.recoverBackups(c.Context(), d, spec, noWait)
			}
			if len(spec.Tenants) > 0 || noWait || keyFile != "" {
				return usagef("--tenant, --key-file and --no-wait go with --from")
			}
			report, err := client.Decode[client.RecoverReport](d.Recover(c.Context(), &p))
			if err != nil {
				return err
			}
			return t.print(report, func() error { return t.printRecovered(report) })
		},
	}
	f := c.Flags()
	f.BoolVar(&p.DryRun, "dry-run", false, "only say what would become of the tenants")
	f.StringVar(&spec.From, "from", "", "`location` of the backups, such as s3://backups/fleet or file:///srv/backups")
	f.StringVar(&keyFile, "key-file", "", "`file` with the recovery key of these backups, where it is not the daemon's own; - is standard input")
	f.StringSliceVar(&spec.Tenants, "tenant", nil, "only this `tenant`; may be repeated")
	f.BoolVar(&noWait, "no-wait", false, "do not wait for the restores")
	return c
}

// keyIn reads a recovery key, from a file or from standard input; none without a name.
func (t *tool) keyIn(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	in := t.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", usageError{err}
		}
		defer f.Close()
		in = f
	} else if _, asking := terminal(t.In); asking {
		fmt.Fprint(t.Err, "Type the recovery key: ")
	}
	key, err := keyLine(in)
	if err == nil && key == "" {
		err = usagef("there is no key in %s", name)
	}
	return key, err
}

// keyLine gives the first line that is no comment: a key file has one above the key.
func keyLine(r io.Reader) (string, error) {
	in := bufio.NewScanner(r)
	for in.Scan() {
		if line := strings.TrimSpace(in.Text()); line != "" && !strings.HasPrefix(line, "#") {
			return line, nil
		}
	}
	return "", in.Err()
}

func (t *tool) printRecovered(report client.RecoverReport) error {
	for _, image := range report.Images {
		fmt.Fprintf(t.Out, "Image %s is recorded again\n", printable(image))
	}
	if len(report.Tenants) == 0 {
		_, err := fmt.Fprintln(t.Out, "No instance belongs to a tenant")
		return err
	}
	rows := make([][]string, len(report.Tenants))
	for i, r := range report.Tenants {
		rows[i] = []string{r.Instance, cmp.Or(r.Tenant, "?"), string(r.Outcome), r.Reason}
	}
	return t.printTable([]string{"INSTANCE", "TENANT", "OUTCOME", "REASON"}, rows)
}

// recoverBackups brings the fleet back from the backups, and waits for the restores.
func (t *tool) recoverBackups(ctx context.Context, d *client.Daemon, spec client.BackupRecover, noWait bool) error {
	report, err := client.Decode[client.BackupRecovery](d.RecoverBackups(ctx, nil, spec))
	if err != nil {
		return err
	}
	if err := t.print(report, func() error { return t.printRecovery(report) }); err != nil || noWait {
		return err
	}
	var failed error
	back := func(what, id, how string) {
		if id == "" || ctx.Err() != nil {
			return
		}
		detail, err := client.Decode[client.JobDetail](d.GetJob(ctx, id, nil))
		if err == nil {
			_, err = t.follow(ctx, d, detail.Job)
		}
		switch {
		case ctx.Err() != nil:
			failed = err
		case err != nil:
			t.report(fmt.Errorf("%s: %w", what, err))
			failed = errSaid
		case t.output == "table":
			fmt.Fprintf(t.Out, "%s is back%s\n", what, how)
		}
	}
	for _, x := range report.Tenants {
		back("Tenant "+x.Tenant, x.Job, ", as it was "+t.ago(x.TakenAt))
	}
	for _, x := range report.Images {
		back("Image "+printable(x.Image), x.Job, "")
	}
	return failed
}

func (t *tool) printRecovery(r client.BackupRecovery) error {
	fmt.Fprintf(t.Out, "From the save of %s; %d backups are recorded again\n", t.when(r.SavedAt), r.Backups)
	for _, x := range r.Plans {
		fmt.Fprintf(t.Out, "Plan %s is back\n", printable(x))
	}
	for _, x := range r.Policies {
		fmt.Fprintf(t.Out, "Policy %s is back\n", printable(x))
	}
	for _, x := range r.Images {
		switch {
		case x.Reason != "":
			fmt.Fprintf(t.Out, "Image %s is not back: %s\n", printable(x.Image), printable(x.Reason))
		case x.Saved:
			fmt.Fprintf(t.Out, "Image %s comes back as it was\n", printable(x.Image))
		default:
			fmt.Fprintf(t.Out, "Image %s is built again from its recipe\n", printable(x.Image))
		}
	}
	rows := make([][]string, len(r.Tenants))
	for i, x := range r.Tenants {
		rows[i] = []string{x.Tenant, string(x.Outcome), short(x.Backup), t.ago(x.TakenAt), x.Job, x.Reason}
	}
	return t.printTable([]string{"TENANT", "OUTCOME", "BACKUP", "TAKEN", "JOB", "REASON"}, rows)
}
