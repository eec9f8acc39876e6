package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) snapshotDiff() *cobra.Command {
	return &cobra.Command{
		Use: "diff TENANT SNAPSHOT [SNAPSHOT]", Short: "Show which files have changed since a snapshot, or between two", Args: arguments(2, 3),
		ValidArgsFunction: t.tenantThen(3, snapshotNames),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			var p client.DiffSnapshotParams
			if len(args) == 3 {
				p.To = args[2]
			}
			list, err := client.Decode[client.FileChangeList](d.DiffSnapshot(c.Context(), args[0], args[1], &p))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error { return t.changeList(list.Items) })
		},
	}
}

func (t *tool) backupDiff() *cobra.Command {
	var p client.DiffBackupParams
	c := &cobra.Command{
		Use: "diff BACKUP [BACKUP]", Short: "Show which files have changed since a backup, or between two", Args: arguments(1, 2),
		Long: "Show which files have changed since a backup: up to another one of its tenant, up to a snapshot\n" +
			"of the tenant (--snapshot), or up to now.",
		Example:           "  lxdfleet backup diff c1ab4aa5e7c5 --snapshot before-update",
		ValidArgsFunction: t.words(2, backupIDs),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 2 {
				if p.To = args[1]; p.Snapshot != "" {
					return usagef("name another backup, or a snapshot, and not both")
				}
			}
			d, err := t.daemon()
			if err != nil {
				return err
			}
			list, err := client.Decode[client.FileChangeList](d.DiffBackup(c.Context(), args[0], &p))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error { return t.changeList(list.Items) })
		},
	}
	c.Flags().StringVar(&p.Snapshot, "snapshot", "", "compare with this `snapshot` of the backup's tenant")
	complete(c, "snapshot", func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		return t.words(-1, func(ctx context.Context, d *client.Daemon) ([]string, error) {
			if len(args) == 0 {
				return nil, nil
			}
			b, err := client.Decode[client.Backup](d.GetBackup(ctx, args[0]))
			if err != nil {
				return nil, err
			}
			return snapshotNames(ctx, d, b.Tenant)
		})(c, nil, typed)
	})
	return c
}

func (t *tool) changeList(changes []client.FileChange) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintln(t.Out, "No file has changed")
		return err
	}
	signs := map[client.FileChangeChange]string{
		client.FileChangeChangeAdded: "+", client.FileChangeChangeRemoved: "-", client.FileChangeChangeChanged: "~",
	}
	for _, x := range changes {
		line := strings.TrimRight(signs[x.Change]+" "+printable(x.Path)+"  "+changeWords(x), " ")
		if _, err := fmt.Fprintln(t.Out, line); err != nil {
			return err
		}
	}
	return nil
}

// changeWords says what is not the same about a file.
func changeWords(x client.FileChange) string {
	switch {
	case x.Before == nil && x.After == nil:
		return ""
	case x.Before == nil:
		return fileSize(*x.After)
	case x.After == nil:
		return fileSize(*x.Before)
	}
	var words []string
	for _, pair := range [][2]string{
		{string(x.Before.Type), string(x.After.Type)},
		{fileSize(*x.Before), fileSize(*x.After)},
		{x.Before.Target, x.After.Target},
		{"mode " + x.Before.Mode, "mode " + x.After.Mode},
		{fmt.Sprintf("owner %d:%d", x.Before.Uid, x.Before.Gid), fmt.Sprintf("owner %d:%d", x.After.Uid, x.After.Gid)},
	} {
		if pair[0] != pair[1] {
			words = append(words, pair[0]+" → "+pair[1])
		}
	}
	if len(words) == 0 {
		return "contents"
	}
	return printable(strings.Join(words, ", "))
}
