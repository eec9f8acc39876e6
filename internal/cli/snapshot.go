package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) snapshotCommand() *cobra.Command {
	return t.group("snapshot", "Tenants at earlier moments: create, list, restore, clone, files, …",
		t.snapshotCreate(), t.snapshotList(), t.snapshotShow(), t.snapshotEdit(), t.snapshotDelete(),
		t.snapshotRestore(), t.snapshotClone(), t.snapshotDiff(), t.snapshotFiles(), t.snapshotGet())
}

func (t *tool) snapshotCreate() *cobra.Command {
	var spec client.SnapshotCreate
	m := many{action: client.BulkActionSnapshot}
	c := &cobra.Command{
		Use: "create TENANT [SNAPSHOT]", Short: "Snapshot a tenant, or many", Args: arguments(0, 2), ValidArgsFunction: t.words(1, tenantNames),
		Long: "Snapshot a tenant. Its application is held still for that moment, as its golden image says,\n" +
			"so that the snapshot is one that the application itself would call consistent.",
		Example: "  lxdfleet snapshot create acme before-update --note \"before the new theme\" --pin\n  lxdfleet snapshot create --selector client=acme",
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	m.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if m.asked() {
			b, err := m.body(c, args[:min(1, len(args))])
			if err != nil {
				return err
			}
			if len(args) > 1 || spec.Pinned || spec.Crash {
				return usagef("of many tenants the snapshots have names of their own, and neither --pin nor --crash")
			}
			b.Note = spec.Note
			return t.bulk(c.Context(), w, b, "snapshotted")
		}
		if err := arguments(1, 2)(c, args); err != nil {
			return err
		}
		if len(args) > 1 {
			spec.Name = args[1]
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		answer, err := d.CreateSnapshot(c.Context(), args[0], &client.CreateSnapshotParams{IdempotencyKey: w.key}, spec)
		return w.job(c.Context(), d, func(j client.Job) error { return t.snapshotTaken(c.Context(), d, args[0], j) }, answer, err)
	}
	c.Flags().StringVar(&spec.Note, "note", "", "what it is for, a line of `text`")
	c.Flags().BoolVar(&spec.Pinned, "pin", false, "keep it until it is unpinned, whatever the policy says")
	c.Flags().BoolVar(&spec.Crash, "crash", false, "do not hold the application still")
	return c
}

// snapshotTaken says what the job has made; the name may be lxdfleet's choice.
func (t *tool) snapshotTaken(ctx context.Context, d *client.Daemon, tenant string, j client.Job) error {
	list, err := client.Decode[client.SnapshotList](d.ListSnapshots(ctx, tenant, nil))
	if err != nil {
		return err
	}
	for _, x := range list.Items {
		if x.Job != j.Id {
			continue
		}
		held := ""
		if x.Held != "" {
			held = ", writes blocked for " + x.Held
		}
		fmt.Fprintf(t.Out, "Snapshot %s of tenant %s is taken: %s-consistent%s\n", x.Name, tenant, x.Consistency, held)
		if x.Why != "" {
			fmt.Fprintf(t.Out, "Not application-consistent: %s\n", printable(x.Why))
		}
		return nil
	}
	_, err = fmt.Fprintf(t.Out, "Tenant %s has a new snapshot\n", tenant)
	return err
}

func (t *tool) snapshotList() *cobra.Command {
	var p client.ListSnapshotsParams
	var f keptFlags
	var origins []string
	var sort string
	c := &cobra.Command{
		Use: "list TENANT", Aliases: []string{"ls"}, Short: "List a tenant's snapshots", Args: arguments(1, 1),
		ValidArgsFunction: t.words(1, tenantNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			if err := f.read(t, c); err != nil {
				return err
			}
			for _, origin := range origins {
				p.Origin = append(p.Origin, client.SnapshotOrigin(origin))
			}
			p.Policy, p.Consistency, p.Pinned, p.From, p.To = f.policy, client.Consistency(f.consistency), f.onlyPinned, f.since, f.until
			p.Sort = client.ListSnapshotsParamsSort(sort)
			list, err := client.Decode[client.SnapshotList](d.ListSnapshots(c.Context(), args[0], &p))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, x := range list.Items {
					rows[i] = []string{
						x.Name, t.ago(x.CreatedAt), madeBy(x), string(x.Consistency), x.Held, humanSize(x.Size), yesNo(x.Pinned), x.Note,
					}
				}
				return t.printTable([]string{"NAME", "TAKEN", "BY", "CONSISTENT", "BLOCKED", "SIZE", "PINNED", "NOTE"}, rows)
			})
		},
	}
	f.add(t, c)
	c.Flags().StringSliceVar(&origins, "origin", nil, "only those made by these: manual, policy, safety, backup, lxc")
	fixed(c, "origin", "manual", "policy", "safety", "backup", "lxc")
	sortFlag(c, &sort, "created", "name", "size")
	return c
}

// madeBy names a snapshot's origin, and the policy where that is it.
func madeBy(x client.Snapshot) string {
	if x.Policy != "" {
		return "policy " + x.Policy
	}
	return string(x.Origin)
}

func (t *tool) snapshotShow() *cobra.Command {
	return t.onSnapshot("show TENANT SNAPSHOT", "Show a snapshot", func(ctx context.Context, d *client.Daemon, tenant, snapshot string) error {
		x, err := client.Decode[client.Snapshot](d.GetSnapshot(ctx, tenant, snapshot))
		if err != nil {
			return err
		}
		return t.print(x, func() error { return t.describeSnapshot(x) })
	})
}

func (t *tool) describeSnapshot(x client.Snapshot) error {
	return t.printFields(
		"Name", x.Name, "Tenant", x.Tenant, "Taken", t.when(x.CreatedAt), "Made by", madeBy(x), "Note", x.Note, "Pinned", yesNo(x.Pinned),
		"Consistent", string(x.Consistency), "Why", x.Why, "Writes blocked", x.Held, "Size", humanSize(x.Size), "Job", x.Job,
	)
}

func (t *tool) snapshotEdit() *cobra.Command {
	var keep keepsake
	c := t.onSnapshot("edit TENANT SNAPSHOT", "Pin a snapshot, or write something down about it",
		func(ctx context.Context, d *client.Daemon, tenant, snapshot string) error {
			spec, err := keep.edit()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.Snapshot](d.EditSnapshot(ctx, tenant, snapshot, nil, spec))
			if err != nil {
				return err
			}
			return t.print(x, func() error { return t.describeSnapshot(x) })
		})
	keep.flags(c)
	return c
}

// keepsake are the flags that change what is written down about a snapshot or a backup.
type keepsake struct {
	command    *cobra.Command
	pin, unpin bool
	note       string
}

func (k *keepsake) flags(c *cobra.Command) {
	k.command = c
	c.Flags().BoolVar(&k.pin, "pin", false, "keep it until it is unpinned, whatever the policy says")
	c.Flags().BoolVar(&k.unpin, "unpin", false, "let the policy decide")
	c.Flags().StringVar(&k.note, "note", "", "what it is for, a line of `text`; an empty one takes it away")
}

func (k *keepsake) edit() (client.KeepsakeEdit, error) {
	var spec client.KeepsakeEdit
	if k.pin && k.unpin {
		return spec, usagef("choose one of --pin and --unpin")
	}
	if k.pin || k.unpin {
		spec.Pinned = &k.pin
	}
	if k.command.Flags().Changed("note") {
		spec.Note = &k.note
	}
	if spec == (client.KeepsakeEdit{}) {
		return spec, usagef("say what to change: --pin, --unpin or --note")
	}
	return spec, nil
}

func (t *tool) snapshotDelete() *cobra.Command {
	var p client.DeleteSnapshotParams
	c := &cobra.Command{
		Use: "delete TENANT SNAPSHOT...", Aliases: []string{"rm"}, Short: "Delete snapshots", Args: arguments(2, -1),
		ValidArgsFunction: t.tenantThen(-1, snapshotNames),
	}
	w := t.waitFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		d, err := t.daemon()
		if err != nil {
			return err
		}
		return t.each(c.Context(), args[1:], func(snapshot string) error {
			answer, err := d.DeleteSnapshot(c.Context(), args[0], snapshot, &p)
			return w.job(c.Context(), d, func(client.Job) error {
				_, err := fmt.Fprintf(t.Out, "Snapshot %s of tenant %s is deleted\n", snapshot, args[0])
				return err
			}, answer, err)
		})
	}
	c.Flags().BoolVar(&p.Force, "force", false, "also where it is pinned")
	return c
}

// each does something for one name after the other. A failure of one does not keep the others
// from their turn.
func (t *tool) each(ctx context.Context, names []string, do func(name string) error) error {
	if len(names) == 1 {
		return do(names[0])
	}
	var failed error
	for _, name := range names {
		err := do(name)
		if ctx.Err() != nil || errors.Is(err, client.ErrUnreachable) {
			return err
		}
		if err != nil {
			t.report(fmt.Errorf("%s: %w", name, err))
			failed = errSaid
		}
	}
	return failed
}

func (t *tool) snapshotRestore() *cobra.Command {
	c := &cobra.Command{
		Use: "restore TENANT SNAPSHOT", Short: "Bring a tenant back to a snapshot", Args: arguments(2, 2),
		ValidArgsFunction: t.tenantThen(2, snapshotNames),
		Long: "Bring a tenant back to a snapshot. As it is now it is kept as a safety snapshot. Requests wait\n" +
			"meanwhile. Where the tenant is not healthy afterwards it goes back to the safety snapshot. Newer\n" +
			"snapshots stay.",
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		d, err := t.daemon()
		if err != nil {
			return err
		}
		answer, err := d.RestoreSnapshot(c.Context(), args[0], args[1], &client.RestoreSnapshotParams{IdempotencyKey: w.key})
		return w.job(c.Context(), d, func(client.Job) error {
			_, err := fmt.Fprintf(t.Out, "Tenant %s is as it was at snapshot %s; see lxdfleet snapshot list %s for the safety snapshot\n",
				args[0], args[1], args[0])
			return err
		}, answer, err)
	}
	return c
}

func (t *tool) snapshotClone() *cobra.Command {
	var spec client.TenantCopy
	c := &cobra.Command{
		Use: "clone TENANT SNAPSHOT NEW-TENANT", Short: "Make a new tenant of a snapshot", Args: arguments(3, 3),
		ValidArgsFunction: t.tenantThen(2, snapshotNames),
		Long: "Make a new tenant of a snapshot, with secrets of its own. It sends no mail and runs no timed\n" +
			"jobs, so that the copy never writes to the client's customers, unless --mail is given.",
		Example: "  lxdfleet snapshot clone acme snap0 acme-test --domain test.acme.localhost",
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		spec.Name = args[2]
		d, err := t.daemon()
		if err != nil {
			return err
		}
		answer, err := d.CloneSnapshot(c.Context(), args[0], args[1], &client.CloneSnapshotParams{IdempotencyKey: w.key}, spec)
		return w.job(c.Context(), d, func(client.Job) error { return t.welcome(c.Context(), d, spec.Name) }, answer, err)
	}
	t.copyFlags(c, &spec.Domains, &spec.Plan, &spec.Member, &spec.Mail)
	return c
}

// copyFlags are those of commands that make a tenant of what was kept of one.
func (t *tool) copyFlags(c *cobra.Command, domains *[]string, plan, member *string, mail *bool) {
	f := c.Flags()
	f.StringSliceVar(domains, "domain", nil, "`host` the new tenant is served at; may be repeated, the first is the primary one")
	f.StringVar(plan, "plan", "", "`plan` (default: the original's)")
	f.StringVar(member, "member", "", "`member` to place it on (default: the one that suits best)")
	f.BoolVar(mail, "mail", false, "let it send mail and run its timed jobs, as the original does")
	complete(c, "plan", t.words(-1, planNames))
	complete(c, "member", t.words(-1, memberNames))
}

func (t *tool) snapshotFiles() *cobra.Command {
	return &cobra.Command{
		Use: "files TENANT SNAPSHOT [FOLDER]", Short: "List a folder of a snapshot", Args: arguments(2, 3),
		ValidArgsFunction: t.tenantThen(2, snapshotNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			var p client.ListSnapshotFilesParams
			if len(args) == 3 {
				p.Path = args[2]
			}
			list, err := client.Decode[client.FileList](d.ListSnapshotFiles(c.Context(), args[0], args[1], &p))
			return t.fileTable(list, err)
		},
	}
}

func (t *tool) snapshotGet() *cobra.Command {
	return &cobra.Command{
		Use: "get TENANT SNAPSHOT FILE [TARGET]", Short: "Fetch a file from a snapshot", Args: arguments(3, 4),
		Long:              fetchHelp,
		Example:           "  lxdfleet snapshot get acme snap0 /etc/nginx/nginx.conf -",
		ValidArgsFunction: t.tenantThen(2, snapshotNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			return t.fetch(args[2], args[3:], func() (*http.Response, error) {
				return d.GetSnapshotFile(c.Context(), args[0], args[1], &client.GetSnapshotFileParams{Path: args[2]})
			})
		},
	}
}

// onSnapshot makes a verb for one snapshot.
func (t *tool) onSnapshot(use, short string, do func(ctx context.Context, d *client.Daemon, tenant, snapshot string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: arguments(2, 2), ValidArgsFunction: t.tenantThen(2, snapshotNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			return do(c.Context(), d, args[0], args[1])
		},
	}
}

// tenantThen completes a tenant first, then what belongs to it.
func (t *tool) tenantThen(most int, list func(ctx context.Context, d *client.Daemon, tenant string) ([]string, error)) completer {
	return func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return t.words(1, tenantNames)(c, args, typed)
		}
		return t.words(most, func(ctx context.Context, d *client.Daemon) ([]string, error) { return list(ctx, d, args[0]) })(c, args, typed)
	}
}

func snapshotNames(ctx context.Context, d *client.Daemon, tenant string) ([]string, error) {
	list, err := client.Decode[client.SnapshotList](d.ListSnapshots(ctx, tenant, nil))
	return namesOf(list.Items, func(x client.Snapshot) string { return x.Name }), err
}
