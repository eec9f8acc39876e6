package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) backupStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show how the repository of the backups is", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			x, err := client.Decode[client.BackupStatus](d.GetBackupStatus(c.Context()))
			if err != nil {
				return err
			}
			return t.print(x, func() error { return t.describeRepository(x) })
		},
	}
}

func (t *tool) describeRepository(x client.BackupStatus) error {
	where := x.Location
	if !x.Away {
		where += " (on this machine: it is lost with it)"
	}
	copied := "yes"
	switch {
	case x.KeyId == "":
		copied = ""
	case !x.KeyRecorded:
		copied = "none that lxdfleet knows of; see lxdfleet backup confirm-key --help"
	}
	drill := "never"
	if k := x.LastDrill; k != nil {
		drill = fmt.Sprintf("%s, of %s, %s", passed(*k), k.Tenant, t.ago(k.At))
	}
	never := func(words string) string {
		if words == "" {
			return "never"
		}
		return words
	}
	return t.printFields(
		"Location", where, "State", string(x.State), "Problem", x.Problem, "Hint", x.Hint,
		"Key file", x.KeyFile, "Key", x.KeyId, "Copy of the key", copied,
		"Backups", fmt.Sprint(x.Backups), "Damaged", fmt.Sprint(x.Damaged), "Size of the files", sizeWords(x.Size), "Size of the repository", humanSize(x.Stored),
		"Last backup", never(t.ago(x.LastBackup)), "Control plane", never(t.ago(x.LastControl)), "Last drill", drill,
	)
}

func (t *tool) backupInit() *cobra.Command {
	return &cobra.Command{
		Use: "init", Short: "Make the repository of the backups, and its recovery key", Args: arguments(0, 0),
		Long: "Make the repository that backups.location names, and the recovery key that everything in it is\n" +
			"encrypted with. The key is shown once; copy it to a safe place off this machine.",
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			key, err := client.Decode[client.BackupKey](d.InitBackups(c.Context(), nil))
			return t.newKey(c.Context(), d, "The repository is made.", key, err)
		},
	}
}

func (t *tool) backupRotateKey() *cobra.Command {
	return &cobra.Command{
		Use: "rotate-key", Short: "Replace the recovery key of the backups", Args: arguments(0, 0),
		Long: "Replace the recovery key of the backups. Nothing is uploaded again. The old key opens nothing any\n" +
			"more; the new one is shown once, and has to be copied to a safe place off this machine again.",
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			key, err := client.Decode[client.BackupKey](d.RotateBackupKey(c.Context(), nil))
			return t.newKey(c.Context(), d, "The repository has a new key. The old one opens nothing any more.", key, err)
		},
	}
}

// newKey shows a key. People at a terminal are asked to type it from their copy.
func (t *tool) newKey(ctx context.Context, d *client.Daemon, said string, key client.BackupKey, err error) error {
	if err != nil {
		return err
	}
	if err := t.print(key, func() error {
		_, err := fmt.Fprintf(t.Out, "%s Its recovery key:\n\n    %s\n\n"+
			"Without it nobody can read a backup, and nobody can make it anew. The daemon has it in\n%s.\n"+
			"Copy it to a safe place off this machine.\n", said, key.Key, key.File)
		return err
	}); err != nil {
		return err
	}
	if _, asking := terminal(t.In); !asking || t.output != "table" {
		fmt.Fprintln(t.Err, "Once there is a copy, show it with: lxdfleet backup confirm-key")
		return nil
	}
	return t.askKey(ctx, d)
}

// askKey has the key typed until it is right, or nothing is typed.
func (t *tool) askKey(ctx context.Context, d *client.Daemon) error {
	in := bufio.NewScanner(t.In)
	for {
		fmt.Fprint(t.Err, "\nType the key from your copy (nothing: later): ")
		if !in.Scan() || strings.TrimSpace(in.Text()) == "" {
			fmt.Fprintln(t.Err, "lxdfleet doctor reminds you until you have: lxdfleet backup confirm-key")
			return in.Err()
		}
		err := t.confirmKey(ctx, d, in.Text())
		if err == nil {
			return nil
		}
		t.report(err)
	}
}

func (t *tool) backupConfirmKey() *cobra.Command {
	return &cobra.Command{
		Use: "confirm-key", Short: "Show that there is a copy of the recovery key elsewhere", Args: arguments(0, 0),
		Long: "Show that there is a copy of the recovery key off this machine, by typing the key from it (or on\n" +
			"standard input). Until then lxdfleet doctor warns. The daemon's own copy is in the file that\n" +
			"lxdfleet backup status names.",
		Example: "  lxdfleet backup confirm-key\n  pass show lxdfleet/backups | lxdfleet backup confirm-key",
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			if _, asking := terminal(t.In); asking {
				return t.askKey(c.Context(), d)
			}
			key, err := keyLine(t.In)
			if err != nil {
				return err
			}
			if key == "" {
				return usagef("give the key on standard input")
			}
			return t.confirmKey(c.Context(), d, key)
		},
	}
}

func (t *tool) confirmKey(ctx context.Context, d *client.Daemon, key string) error {
	body, err := client.Open(d.ConfirmBackupKey(ctx, nil, client.BackupKeyCopy{Key: key}))
	if err != nil {
		return err
	}
	body.Close()
	return t.print(map[string]bool{"confirmed": true}, func() error {
		_, err := fmt.Fprintln(t.Out, "It is the key; keep that copy")
		return err
	})
}
