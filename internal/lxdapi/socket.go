package lxdapi

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	lxd "github.com/canonical/lxd/client"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// socketPlaces are the paths to look for LXD's socket at, best first. What the environment
// names is the only place then: somebody who points at an LXD does not want another.
func socketPlaces(env func(string) string) []string {
	if s := env("LXD_SOCKET"); s != "" {
		return []string{s}
	}
	if dir := env("LXD_DIR"); dir != "" {
		return []string{filepath.Join(dir, "unix.socket")}
	}
	return []string{"/var/snap/lxd/common/lxd/unix.socket", "/var/lib/lxd/unix.socket"}
}

// useSocket connects by unix socket. The socket is looked for at each dial, so that an LXD
// installed or started later is found.
func (c *Client) useSocket(path string) error {
	places := []string{path}
	if path == "" {
		places = socketPlaces(os.Getenv)
	}
	server, err := lxd.ConnectLXDUnix(places[0], &lxd.ConnectionArgs{UserAgent: "lxdfleet", SkipGetServer: true})
	if err != nil {
		return fleet.Errorf(fleet.Internal, "prepare the connection to LXD: %w", err)
	}
	if err := c.use(server, "http://unix.socket"); err != nil {
		return err
	}
	transport, _ := c.http.Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialSocket(ctx, places)
	}
	return nil
}

// dialSocket dials the first place where somebody listens.
func dialSocket(ctx context.Context, places []string) (net.Conn, error) {
	var denied, refused error
	for _, place := range places {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", place)
		switch {
		case err == nil:
			return conn, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, fs.ErrPermission):
			denied = err
		case !errors.Is(err, fs.ErrNotExist):
			refused = err
		}
	}
	where := strings.Join(places, ", ")
	switch {
	case denied != nil:
		return nil, fleet.Errorf(fleet.Forbidden, "may not use LXD's socket: %w", denied).
			WithHint("run as root or as a member of the group lxd")
	case refused != nil:
		return nil, fleet.Errorf(fleet.Unavailable, "LXD does not answer: %w", refused).
			WithHint("start LXD: snap start lxd, or systemctl start lxd")
	}
	return nil, fleet.Errorf(fleet.Unavailable, "there is no LXD socket; looked at %s", where).
		WithHint("install LXD, start it, or name its socket (lxd.socket, LXD_SOCKET or LXD_DIR)")
}
