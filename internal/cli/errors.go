package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitError is the exit code of a command that ran in an instance.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// errSaid: what went wrong was shown already.
var errSaid = errors.New("failed")

// report tells the error on standard error and gives the exit code.
func (t *tool) report(err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errSaid) {
		return exitFailed
	}
	if exit, ok := errors.AsType[exitError](err); ok {
		return int(exit)
	}
	message, hint := explain(t.at, err)
	fmt.Fprintln(t.Err, "Error: "+printable(message))
	if hint != "" {
		fmt.Fprintln(t.Err, "Hint: "+printable(hint))
	}
	switch _, usage := errors.AsType[usageError](err); {
	case usage:
		return exitUsage
	case errors.Is(err, client.ErrUnreachable):
		return exitUnreachable
	}
	return exitFailed
}

// explain gives what is wrong and what to do.
func explain(at *cobra.Command, err error) (message, hint string) {
	if e, ok := errors.AsType[usageError](err); ok {
		if at.HasSubCommands() {
			return strings.TrimSpace(e.Error()), at.CommandPath() + " --help lists the commands"
		}
		return strings.TrimSpace(e.Error()), at.CommandPath() + " --help explains it"
	}
	if e, ok := errors.AsType[*url.Error](err); ok && errors.Is(e.Err, client.ErrUnreachable) {
		err = e.Err // who types a command knows no URL of it
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Net == "tcp" && errors.Is(err, client.ErrUnreachable) {
		return err.Error(), "see whether it runs there, and whether api.listen lets it be reached from here; lxdfleet context list shows the addresses"
	}
	if errors.Is(err, client.ErrUnreachable) {
		if errors.Is(err, fs.ErrPermission) {
			return err.Error(), "run it as root, or as a member of the group that socket.group names"
		}
		return err.Error(), "start it with: systemctl start lxdfleet, or in a terminal: lxdfleet serve"
	}
	if e, ok := errors.AsType[*fleet.Error](err); ok {
		message = e.Message
		if e.Field != "" {
			message = e.Field + ": " + message
		}
		return message, e.Hint
	}
	return err.Error(), ""
}

// arguments checks how many arguments there are, and says what is wanted.
func arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= least && (most < 0 || len(args) <= most) {
			return nil
		}
		return usagef("write it as: %s", c.UseLine())
	}
}
