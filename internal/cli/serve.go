package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/config"
)

// socketVariable names the socket where --socket does not.
const socketVariable = "LXDFLEET_SOCKET"

func (t *tool) serveCommand() *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use: "serve", Short: "Run the daemon", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			settings, err := config.Read(config.Find(t.config))
			if err != nil {
				return err
			}
			if err := t.placeSocket(&settings, c.Flags().Changed("socket")); err != nil {
				return err
			}
			if check {
				return nil
			}
			return t.app.Serve(c.Context(), settings)
		},
	}
	c.Flags().BoolVar(&check, "check", false, "only read the configuration")
	return c
}

// placeSocket has the daemon listen where the flag or the environment says, if either does.
func (t *tool) placeSocket(settings *config.Settings, flag bool) error {
	if t.socket == "" {
		return nil
	}
	path, err := filepath.Abs(t.socket)
	if err != nil {
		return err
	}
	from := config.Origin{Source: config.FromEnvironment, Name: socketVariable}
	if flag {
		from = config.Origin{Source: config.FromFlag, Name: "--socket"}
	}
	return settings.Override("socket.path", path, from)
}
