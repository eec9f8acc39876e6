package cli

import "github.com/spf13/cobra"

func (t *tool) initCommand() *cobra.Command {
	var reset bool
	c := &cobra.Command{
		Use: "init", Short: "Prepare LXD: project, profiles, checks", Args: arguments(0, 0),
		Long: "Make the LXD project and its profiles and check pool, network and versions. It can be run again\n" +
			"at any time: what is there is kept.",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := t.settings()
			if err != nil {
				return err
			}
			return t.app.Init(c.Context(), cfg, t.Out, reset)
		},
	}
	c.Flags().BoolVar(&reset, "reset-profiles", false, "overwrite profiles that somebody changed")
	return c
}
