package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (t *tool) manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the manual pages of all commands into a folder", Args: arguments(1, 1),
		Example: "  lxdfleet man /usr/local/share/man/man1 && man lxdfleet-tenant-create",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("make the folder: %w", err)
			}
			root := c.Root()
			root.DisableAutoGenTag = true
			now := t.now()
			header := &doc.GenManHeader{Section: "1", Source: "lxdfleet " + t.app.Version, Manual: "lxdfleet", Date: &now}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("write the manual pages: %w", err)
			}
			pages, err := filepath.Glob(filepath.Join(args[0], "lxdfleet*.1"))
			if err != nil {
				return err
			}
			return t.print(map[string]int{"pages": len(pages)}, func() error {
				_, err := fmt.Fprintf(t.Out, "Wrote %d pages; read one with: man %s\n", len(pages), filepath.Join(args[0], "lxdfleet.1"))
				return err
			})
		},
	}
}
