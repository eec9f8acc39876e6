package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) tenantExec() *cobra.Command {
	var env []string
	var forceTTY, noTTY bool
	c := &cobra.Command{
		Use: "exec NAME -- COMMAND...", Short: "Run a command in a tenant's instance, as root", Args: arguments(2, -1),
		Example:           "  lxdfleet tenant exec acme -- bash\n  lxdfleet tenant exec acme -- tar -c /var/www > www.tar",
		ValidArgsFunction: t.words(1, tenantNames),
		RunE: func(c *cobra.Command, args []string) error {
			if forceTTY && noTTY {
				return usagef("-t and -T exclude each other")
			}
			vars, err := parsePairs("env", env)
			if err != nil {
				return err
			}
			d, err := t.daemon()
			if err != nil {
				return err
			}
			start := client.ExecStart{Command: args[1:], Env: vars}
			_, isTTY := terminal(t.In)
			start.Tty = (isTTY || forceTTY) && !noTTY
			return t.exec(c.Context(), d, args[0], start)
		},
	}
	c.Flags().StringArrayVar(&env, "env", nil, "set a variable, `key=value`; may be repeated")
	c.Flags().BoolVarP(&forceTTY, "force-tty", "t", false, "give the command a terminal")
	c.Flags().BoolVarP(&noTTY, "no-tty", "T", false, "give the command no terminal")
	return c
}

func (t *tool) exec(ctx context.Context, d *client.Daemon, tenant string, start client.ExecStart) error {
	s := client.Streams{Stdin: t.In, Stdout: t.Out, Stderr: t.Err}
	if start.Tty {
		if _, set := start.Env["TERM"]; !set {
			start.Env["TERM"] = cmp.Or(os.Getenv("TERM"), "xterm")
		}
		restore, sizes, err := t.raw(&start)
		if err != nil {
			return err
		}
		defer restore()
		s.Resize = sizes
	}
	exit, err := d.Exec(ctx, tenant, start, s)
	if err != nil {
		return err
	}
	if exit != 0 {
		return exitError(exit)
	}
	return nil
}

// raw hands the keyboard to the command as it is, and follows the size of the terminal. Where
// standard input is no terminal there is nothing to hand over.
func (t *tool) raw(start *client.ExecStart) (restore func(), sizes <-chan client.ExecControl, err error) {
	start.Width, start.Height = 80, 24
	fd, ok := terminal(t.In)
	if !ok {
		return func() {}, nil, nil
	}
	before, err := term.MakeRaw(fd)
	if err != nil {
		return nil, nil, fmt.Errorf("prepare the terminal: %w", err)
	}
	if w, h, err := term.GetSize(fd); err == nil {
		start.Width, start.Height = w, h
	}
	changed, out, over := make(chan os.Signal, 1), make(chan client.ExecControl), make(chan struct{})
	signal.Notify(changed, syscall.SIGWINCH)
	go func() {
		for {
			select {
			case <-over:
				return
			case <-changed:
			}
			w, h, err := term.GetSize(fd)
			if err != nil {
				continue
			}
			select {
			case out <- client.ExecControl{Width: w, Height: h}:
			case <-over:
				return
			}
		}
	}()
	return func() {
		signal.Stop(changed)
		close(over)
		_ = term.Restore(fd, before) // nothing is left to do about it
	}, out, nil
}
