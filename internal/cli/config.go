package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/config"
)

func (t *tool) configCommand() *cobra.Command {
	show := &cobra.Command{
		Use: "show", Short: "Show all settings as they are in force", Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := t.settings()
			if err != nil {
				return err
			}
			from := "# no configuration file: all defaults\n"
			if file := config.Find(t.config); file != "" {
				from = "# from " + file + "\n"
			}
			_, err = fmt.Fprint(t.Out, from+cfg.YAML())
			return err
		},
	}
	check := &cobra.Command{
		Use: "check [FILE]", Short: "Check a configuration file", Args: arguments(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			file := config.Find(t.config)
			if len(args) == 1 {
				file = args[0]
			}
			if _, err := config.Load(file); err != nil {
				return err
			}
			if file == "" {
				file = "no configuration file: all defaults"
			}
			_, err := fmt.Fprintln(t.Out, file+": ok")
			return err
		},
	}
	example := &cobra.Command{
		Use: "example", Short: "Print a commented configuration file with every default", Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(t.Out, config.Example())
			return err
		},
	}
	return t.group("config", "The configuration file: show, check, example", show, check, example)
}
