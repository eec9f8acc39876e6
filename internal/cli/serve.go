package cli

import "github.com/spf13/cobra"

func (t *tool) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run the daemon", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := t.settings()
			if err != nil {
				return err
			}
			if t.socket != "" {
				cfg.Socket.Path = t.socket
			}
			return t.app.Serve(c.Context(), cfg)
		},
	}
}
