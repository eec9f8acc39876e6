package cli

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) backupCommand() *cobra.Command {
	return t.group("backup", "Tenants at earlier moments, kept outside: create, list, verify, restore, status, …",
		t.backupCreate(), t.backupList(), t.backupShow(), t.backupEdit(), t.backupDelete(), t.backupVerify(), t.backupRestore(),
		t.backupDiff(), t.backupFiles(), t.backupGet(), t.backupPrune(), t.backupStatus(), t.backupInit(), t.backupRotateKey(), t.backupConfirmKey())
}

func (t *tool) backupCreate() *cobra.Command {
	var spec client.BackupCreate
	var control bool
	m := many{action: client.BulkActionBackup}
	c := &cobra.Command{
		Use: "create TENANT...", Short: "Back tenants up", Args: cobra.ArbitraryArgs, ValidArgsFunction: t.words(-1, tenantNames),
		Long: "Back tenants up, one after the other. Each is held still for a moment as for a snapshot; only\n" +
			"what the repository does not have yet is sent. With --control the control plane itself is backed\n" +
			"up: tenants, domains, plans, policies and recipes, which lxdfleet recover --from brings back.",
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	m.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if m.asked() {
			b, err := m.body(c, args)
			if err != nil {
				return err
			}
			if control || spec.Pinned || spec.Crash {
				return usagef("backups of many tenants take none of --control, --pin and --crash")
			}
			b.Note = spec.Note
			return t.bulk(c.Context(), w, b, "backed up")
		}
		if w.key != "" && len(args) > 1 {
			return usagef("--idempotency-key is for one job")
		}
		if control == (len(args) > 0) {
			return usagef("name the tenants to back up, or give --control and none")
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		if control {
			answer, err := d.BackupControl(c.Context(), &client.BackupControlParams{IdempotencyKey: w.key})
			return w.job(c.Context(), d, t.says("The control plane is backed up"), answer, err)
		}
		return t.each(c.Context(), args, func(name string) error {
			spec.Tenant = name
			answer, err := d.CreateBackup(c.Context(), &client.CreateBackupParams{IdempotencyKey: w.key}, spec)
			return w.job(c.Context(), d, func(j client.Job) error { return t.backedUp(c.Context(), d, name, j) }, answer, err)
		})
	}
	c.Flags().StringVar(&spec.Note, "note", "", "what it is for, a line of `text`")
	c.Flags().BoolVar(&spec.Pinned, "pin", false, "keep it until it is unpinned, whatever the policy says")
	c.Flags().BoolVar(&spec.Crash, "crash", false, "do not hold the application still")
	c.Flags().BoolVar(&control, "control", false, "back up the control plane instead of tenants")
	return c
}

// says gives a function that writes a sentence.
func (t *tool) says(sentence string) func(client.Job) error {
	return func(client.Job) error {
		_, err := fmt.Fprintln(t.Out, sentence)
		return err
	}
}

// backedUp says what the job has made.
func (t *tool) backedUp(ctx context.Context, d *client.Daemon, tenant string, j client.Job) error {
	list, err := client.Decode[client.BackupList](d.ListBackups(ctx, &client.ListBackupsParams{Tenant: tenant}))
	if err != nil {
		return err
	}
	for _, x := range list.Items {
		if x.Job != j.Id {
			continue
		}
		fmt.Fprintf(t.Out, "Tenant %s is backed up as %s: %s, %s of it new\n", tenant, short(x.Id), sizeWords(x.Size), sizeWords(x.Moved))
		if x.Why != "" {
			fmt.Fprintf(t.Out, "Not application-consistent: %s\n", printable(x.Why))
		}
		return nil
	}
	_, err = fmt.Fprintf(t.Out, "Tenant %s is backed up\n", tenant)
	return err
}

// allBackups reads all pages. It never gives nil.
func allBackups(ctx context.Context, d *client.Daemon, p client.ListBackupsParams) ([]client.Backup, error) {
	found, limit := []client.Backup{}, 1000
	p.Limit = &limit
	for {
		page, err := client.Decode[client.BackupList](d.ListBackups(ctx, &p))
		if err != nil {
			return nil, err
		}
		found = append(found, page.Items...)
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			return found, nil
		}
	}
}

func (t *tool) backupList() *cobra.Command {
	var p client.ListBackupsParams
	var f keptFlags
	var sort string
	c := &cobra.Command{
		Use: "list [TENANT]", Aliases: []string{"ls"}, Short: "List backups, newest first", Args: arguments(0, 1),
		ValidArgsFunction: t.words(1, tenantNames),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				p.Tenant = args[0]
			}
			d, err := t.daemon()
			if err != nil {
				return err
			}
			if err := f.read(t, c); err != nil {
				return err
			}
			p.Policy, p.Consistency, p.Pinned, p.From, p.To = f.policy, client.Consistency(f.consistency), f.onlyPinned, f.since, f.until
			p.Sort = client.ListBackupsParamsSort(sort)
			found, err := allBackups(c.Context(), d, p)
			if err != nil {
				return err
			}
			return t.print(found, func() error {
				rows := make([][]string, len(found))
				for i, x := range found {
					rows[i] = []string{
						short(x.Id), x.Tenant, t.ago(x.TakenAt), orderedBy(x), string(x.Consistency), humanSize(x.Size), humanSize(x.Moved),
						t.checked(x), yesNo(x.Pinned), x.Note,
					}
				}
				return t.printTable([]string{"ID", "TENANT", "TAKEN", "BY", "CONSISTENT", "SIZE", "NEW", "VERIFIED", "PINNED", "NOTE"}, rows)
			})
		},
	}
	c.Flags().BoolVar(&p.Damaged, "damaged", false, "only those in which something was found to be wrong")
	f.add(t, c)
	sortFlag(c, &sort, "taken")
	return c
}

func orderedBy(x client.Backup) string {
	if x.Policy != "" {
		return "policy " + x.Policy
	}
	return "manual"
}

// checked says what the last verification found.
func (t *tool) checked(x client.Backup) string {
	switch {
	case x.Damage != "":
		return "damaged"
	case x.VerifiedAt.IsZero():
		return "never"
	}
	return t.ago(x.VerifiedAt)
}

func (t *tool) backupShow() *cobra.Command {
	return t.onBackup("show BACKUP", "Show a backup", func(ctx context.Context, d *client.Daemon, id string) error {
		x, err := client.Decode[client.Backup](d.GetBackup(ctx, id))
		if err != nil {
			return err
		}
		return t.print(x, func() error { return t.describeBackup(x) })
	})
}

func (t *tool) describeBackup(x client.Backup) error {
	took := ""
	if !x.DoneAt.IsZero() {
		took = x.DoneAt.Sub(x.TakenAt).Round(time.Second).String()
	}
	return t.printFields(
		"ID", x.Id, "Tenant", x.Tenant, "Taken", t.when(x.TakenAt), "Complete after", took, "Made by", orderedBy(x), "Note", x.Note, "Pinned", yesNo(x.Pinned),
		"Consistent", string(x.Consistency), "Why", x.Why, "Writes blocked", x.Held,
		"Size", sizeWords(x.Size), "New in the repository", sizeWords(x.Moved), "Files", fmt.Sprint(x.Files), "Image", x.Image,
		"Verified", t.checked(x), "Damage", x.Damage, "Job", x.Job,
	)
}

func (t *tool) backupEdit() *cobra.Command {
	var keep keepsake
	c := t.onBackup("edit BACKUP", "Pin a backup, or write something down about it", func(ctx context.Context, d *client.Daemon, id string) error {
		spec, err := keep.edit()
		if err != nil {
			return err
		}
		x, err := client.Decode[client.Backup](d.EditBackup(ctx, id, nil, spec))
		if err != nil {
			return err
		}
		return t.print(x, func() error { return t.describeBackup(x) })
	})
	keep.flags(c)
	return c
}

func (t *tool) backupDelete() *cobra.Command {
	var p client.DeleteBackupParams
	c := &cobra.Command{
		Use: "delete BACKUP...", Aliases: []string{"rm"}, Short: "Delete backups", Args: arguments(1, -1), ValidArgsFunction: t.words(-1, backupIDs),
		Long: "Delete backups. What no other backup needs is freed by lxdfleet backup prune.",
	}
	w := t.waitFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		d, err := t.daemon()
		if err != nil {
			return err
		}
		return t.each(c.Context(), args, func(id string) error {
			answer, err := d.DeleteBackup(c.Context(), id, &p)
			return w.job(c.Context(), d, t.says("Backup "+id+" is deleted"), answer, err)
		})
	}
	c.Flags().BoolVar(&p.Force, "force", false, "also where it is pinned")
	return c
}

func (t *tool) backupVerify() *cobra.Command {
	var spec client.BackupVerify
	c := &cobra.Command{
		Use: "verify [BACKUP]", Short: "Look for damage in backups", Args: arguments(0, 1), ValidArgsFunction: t.words(1, backupIDs),
		Long: "Look for damage in one backup, in those of a tenant, or in all. What is found is written down with\n" +
			"the backups (lxdfleet backup list --damaged), and damaged ones are not restored.",
	}
	w := t.waitFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			spec.Backup = args[0]
		}
		if spec.Backup != "" && spec.Tenant != "" {
			return usagef("name a backup, or give --tenant, not both")
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		answer, err := d.VerifyBackups(c.Context(), nil, spec)
		return w.job(c.Context(), d, func(client.Job) error { return t.verified(c.Context(), d, spec) }, answer, err)
	}
	c.Flags().StringVar(&spec.Tenant, "tenant", "", "those of this `tenant`")
	c.Flags().BoolVar(&spec.Deep, "deep", false, "read all contents, not only what there is of them")
	complete(c, "tenant", t.words(-1, tenantNames))
	return c
}

// verified says what a verification has found.
func (t *tool) verified(ctx context.Context, d *client.Daemon, spec client.BackupVerify) error {
	damaged, err := allBackups(ctx, d, client.ListBackupsParams{Tenant: spec.Tenant, Damaged: true})
	if err != nil {
		return err
	}
	found := 0
	for _, x := range damaged {
		if spec.Backup != "" && len(x.Id) >= len(spec.Backup) && x.Id[:len(spec.Backup)] != spec.Backup {
			continue
		}
		found++
		fmt.Fprintf(t.Out, "Backup %s of %s is damaged: %s\n", short(x.Id), x.Tenant, printable(x.Damage))
	}
	if found > 0 {
		return errSaid
	}
	_, err = fmt.Fprintln(t.Out, "No damage was found")
	return err
}

func (t *tool) backupRestore() *cobra.Command {
	var spec client.BackupRestore
	c := &cobra.Command{
		Use: "restore BACKUP", Short: "Make a new tenant of a backup, or bring its own back to it", Args: arguments(1, 1),
		ValidArgsFunction: t.words(1, backupIDs),
		Long: "Bring a backup's own tenant back to it; or, with --into, make a new tenant of it, with secrets of\n" +
			"its own. A new one sends no mail and runs no timed jobs, so that the copy never writes to the\n" +
			"client's customers, unless --mail is given.",
		Example: "  lxdfleet backup restore c1ab4aa5\n  lxdfleet backup restore c1ab4aa5 --into acme-test --domain test.acme.localhost",
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		d, err := t.daemon()
		if err != nil {
			return err
		}
		answer, err := d.RestoreBackup(c.Context(), args[0], &client.RestoreBackupParams{IdempotencyKey: w.key}, spec)
		return w.job(c.Context(), d, func(client.Job) error {
			if spec.Into != "" {
				return t.welcome(c.Context(), d, spec.Into)
			}
			return t.says("The tenant is as it was at backup " + args[0])(client.Job{})
		}, answer, err)
	}
	c.Flags().StringVar(&spec.Into, "into", "", "`name` of a new tenant")
	t.copyFlags(c, &spec.Domains, &spec.Plan, &spec.Member, &spec.Mail)
	return c
}

func (t *tool) backupFiles() *cobra.Command {
	return &cobra.Command{
		Use: "files BACKUP [FOLDER]", Short: "List a folder of a backup", Args: arguments(1, 2), ValidArgsFunction: t.words(1, backupIDs),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			var p client.ListBackupFilesParams
			if len(args) == 2 {
				p.Path = args[1]
			}
			list, err := client.Decode[client.FileList](d.ListBackupFiles(c.Context(), args[0], &p))
			return t.fileTable(list, err)
		},
	}
}

func (t *tool) backupGet() *cobra.Command {
	return &cobra.Command{
		Use: "get BACKUP FILE [TARGET]", Short: "Fetch a file from a backup", Args: arguments(2, 3), Long: fetchHelp,
		Example:           "  lxdfleet backup get c1ab4aa5 /etc/nginx/nginx.conf -",
		ValidArgsFunction: t.words(1, backupIDs),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			return t.fetch(args[1], args[2:], func() (*http.Response, error) {
				return d.GetBackupFile(c.Context(), args[0], &client.GetBackupFileParams{Path: args[1]})
			})
		},
	}
}

func (t *tool) backupPrune() *cobra.Command {
	c := &cobra.Command{
		Use: "prune", Short: "Delete what no policy keeps, and free what no backup needs any more", Args: arguments(0, 0),
	}
	w := t.waitFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		d, err := t.daemon()
		if err != nil {
			return err
		}
		answer, err := d.PruneBackups(c.Context(), nil)
		return w.job(c.Context(), d, t.says("The repository is pruned"), answer, err)
	}
	return c
}

// onBackup makes a verb for one backup.
func (t *tool) onBackup(use, short string, do func(ctx context.Context, d *client.Daemon, id string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: arguments(1, 1), ValidArgsFunction: t.words(1, backupIDs),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			return do(c.Context(), d, args[0])
		},
	}
}

func backupIDs(ctx context.Context, d *client.Daemon) ([]string, error) {
	list, err := client.Decode[client.BackupList](d.ListBackups(ctx, nil))
	return namesOf(list.Items, func(x client.Backup) string {
		return short(x.Id) + "\t" + x.Tenant + " " + x.TakenAt.Format("2006-01-02 15:04")
	}), err
}
