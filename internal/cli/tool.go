package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/config"
)

// tool is one run of the command: its flags and streams.
type tool struct {
	Streams
	app App
	now func() time.Time

	socket, config, output, context string
	at                              *cobra.Command // what is run
	began                           bool           // the command line was understood
	pick                            pick           // what of a list is shown
}

// daemon gives the connection to the daemon: the one at the socket that was named, else that of
// the context that was named, else that of the context in use, else the one on this machine.
func (t *tool) daemon() (*client.Daemon, error) {
	if t.socket == "" || t.context != "" {
		at, err := t.chosen()
		if err != nil || at != nil {
			return at, err
		}
	}
	socket := t.socket
	if socket == "" {
		cfg, err := t.settings()
		// Whoever may use the socket need not be allowed to read the configuration.
		if errors.Is(err, fs.ErrPermission) && t.config == "" {
			cfg, err = config.Default(), nil
		}
		if err != nil {
			return nil, err
		}
		socket = cfg.Socket.Path
	}
	return client.New(socket)
}

func (t *tool) settings() (config.Config, error) { return config.Load(config.Find(t.config)) }

// terminal gives the descriptor of a stream that is a terminal.
func terminal(stream any) (fd int, ok bool) {
	f, isFile := stream.(*os.File)
	if !isFile {
		return 0, false
	}
	fd = int(f.Fd())
	return fd, term.IsTerminal(fd)
}

// width is how many columns the terminal has; 80 where that is not known.
func width(w io.Writer) int {
	if fd, ok := terminal(w); ok {
		if columns, _, err := term.GetSize(fd); err == nil && columns > 0 {
			return columns
		}
	}
	return 80
}
