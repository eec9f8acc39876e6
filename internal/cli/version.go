package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// versions is what "version" prints.
type versions struct {
	Client string             `json:"client"`
	Daemon *client.ServerInfo `json:"daemon,omitempty"`
}

func (t *tool) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the versions of this command, the daemon and LXD", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			v := versions{Client: t.app.Version}
			info, err := t.serverInfo(c.Context())
			switch {
			case err == nil:
				v.Daemon = &info
			case !errors.Is(err, client.ErrUnreachable):
				return err
			}
			return t.print(v, func() error { return t.printVersions(v) })
		},
	}
}

func (t *tool) serverInfo(ctx context.Context) (client.ServerInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	d, err := t.daemon()
	if err != nil {
		return client.ServerInfo{}, err
	}
	return client.Decode[client.ServerInfo](d.GetServer(ctx))
}

func (t *tool) printVersions(v versions) error {
	if v.Daemon == nil {
		return t.printFields("lxdfleet", v.Client, "daemon", "not running")
	}
	lxd := v.Daemon.LxdError
	if v.Daemon.Lxd != nil {
		lxd = v.Daemon.Lxd.Version
	}
	return t.printFields(
		"lxdfleet", v.Client, "daemon", fmt.Sprintf("%s, up since %s", v.Daemon.Version, t.ago(v.Daemon.StartedAt)),
		"LXD", lxd, "LXD project", v.Daemon.Project,
	)
}
