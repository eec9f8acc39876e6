package cli

import "github.com/spf13/cobra"

func (t *tool) serveCommand() *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use: "serve", Short: "Run the daemon", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := t.settings()
			if err != nil {
				return err
			}
			if t.socket != "" {
				cfg.Socket.Path = t.socket
			}
			if check {
				return nil
			}
			return t.app.Serve(c.Context(), cfg)
		},
	}
	c.Flags().BoolVar(&check, "check", false, "only read the configuration")
	return c
}
