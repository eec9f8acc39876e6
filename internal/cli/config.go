package cli

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/config"
)

func (t *tool) configShow() *cobra.Command {
	var origin, daemon bool
	c := &cobra.Command{
		Use: "show", Short: "Show all settings as they are in force", Args: arguments(0, 0),
		Long: "Show all settings: those of the configuration file of this machine, in its form; with --origin as a\n" +
			"table that says where each comes from; with --daemon those that the daemon runs with.",
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if daemon {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			list, err := client.Decode[client.SettingList](d.ListSettings(c.Context()))
			if err != nil {
				return err
			}
			return t.printSettings(list)
		}
		settings, err := config.Read(config.Find(t.config))
		if err != nil {
			return err
		}
		if origin {
			return t.printSettings(listed(settings))
		}
		from := "# no configuration file: all defaults\n"
		if settings.File != "" {
			from = "# from " + settings.File + "\n"
		}
		_, err = fmt.Fprint(t.Out, from+settings.YAML())
		return err
	}
	c.Flags().BoolVar(&origin, "origin", false, "a table that says where each setting comes from")
	c.Flags().BoolVar(&daemon, "daemon", false, "ask the daemon what it runs with, and where it comes from")
	return c
}

// listed gives the settings as the daemon would.
func listed(settings config.Settings) client.SettingList {
	list := client.SettingList{File: settings.File}
	for _, s := range settings.List() {
		list.Items = append(list.Items, client.Setting{
			Name: s.Name, Value: s.Value, Default: s.Default, About: s.About, Hidden: s.Hidden,
			Origin: client.SettingOrigin(s.Origin.Source), From: s.Origin.Name,
		})
	}
	return list
}

func (t *tool) printSettings(list client.SettingList) error {
	return t.print(list, func() error {
		rows := make([][]string, len(list.Items))
		for i, s := range list.Items {
			rows[i] = []string{s.Name, s.Value, cmp.Or(s.From, string(s.Origin))}
		}
		return t.printTable([]string{"SETTING", "VALUE", "FROM"}, rows)
	})
}

func (t *tool) configCommand() *cobra.Command {
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
	return t.group("config", "The configuration file: show, check, example", t.configShow(), check, example)
}
