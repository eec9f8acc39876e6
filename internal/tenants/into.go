package tenants

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Exec runs a command in the tenant's instance, as root, until it ends or ctx does.
// fleet.Conflict when the tenant does not run.
func (s *Service) Exec(ctx context.Context, name fleet.Name, spec fleet.ExecSpec) (exit int, err error) {
	t, err := s.tenant(ctx, name)
	if err != nil {
		return 0, err
	}
	if len(spec.Command) == 0 {
		return 0, fleet.Errorf(fleet.Invalid, "there is no command").WithField("command").WithHint("give a command, such as bash")
	}
	if o := s.Observer.Observation(t); o.Exists && o.Status == fleet.InstanceStopped {
		return 0, fleet.Errorf(fleet.Conflict, "tenant %s is stopped", name).
			WithHint("start it: lxdfleet tenant start %s", name)
	}
	exit, err = s.LXD.Exec(ctx, s.instanceName(t), spec)
	if err != nil {
		return exit, fmt.Errorf("run a command in %s: %w", name, err)
	}
	return exit, nil
}

// LogRequest says which part of a tenant's journal is wanted.
type LogRequest struct {
	Lines  int    // the last so many; 0: 100
	Unit   string // of this systemd unit only; empty: all
	Follow bool   // go on until ctx ends
}

var unitRule = regexp.MustCompile(`^[A-Za-z0-9@_.:\\-]{1,255}$`)

// Logs writes the tenant's journal to w or, while it is stopped, what its console said last.
func (s *Service) Logs(ctx context.Context, name fleet.Name, req LogRequest, w io.Writer) error {
	if req.Lines < 0 || req.Lines > 100_000 {
		return fleet.Errorf(fleet.Invalid, "%d lines", req.Lines).WithField("lines").WithHint("give 1 to 100000")
	}
	if req.Unit != "" && (!unitRule.MatchString(req.Unit) || req.Unit[0] == '-') {
		return fleet.Errorf(fleet.Invalid, "%q is not a unit's name", req.Unit).WithField("unit").
			WithHint("give a systemd unit such as nginx or php8.2-fpm.service")
	}
	t, err := s.tenant(ctx, name)
	if err != nil {
		return err
	}
	if o := s.Observer.Observation(t); o.Exists && o.Status != fleet.InstanceRunning {
		console, err := s.LXD.ConsoleLog(ctx, s.instanceName(t))
		if err != nil {
			return fmt.Errorf("read the console of %s: %w", name, err)
		}
		_, err = w.Write(console)
		return err //nolint:wrapcheck // the writer is the caller's
	}
	command := []string{"journalctl", "--no-pager", "-n", strconv.Itoa(cmp.Or(req.Lines, 100))}
	if req.Unit != "" {
		command = append(command, "-u", req.Unit)
	}
	if req.Follow {
		command = append(command, "-f")
	}
	var complaint tail
	exit, err := s.LXD.Exec(ctx, s.instanceName(t), fleet.ExecSpec{Command: command, Stdout: w, Stderr: &complaint})
	switch {
	case err != nil && ctx.Err() != nil && req.Follow:
		return nil // the reader has seen enough
	case err != nil:
		return fmt.Errorf("read the journal of %s: %w", name, err)
	case exit != 0:
		return fleet.Errorf(fleet.Failed, "journalctl in %s ended with exit code %d: %s", name, exit, complaint.String()).
			WithHint("look inside: lxdfleet tenant exec %s -- systemctl status", name)
	}
	return nil
}

// instanceName is the name the tenant's instance has in LXD, which an operator may have changed.
func (s *Service) instanceName(t fleet.Tenant) string {
	s.Observer.mu.Lock()
	defer s.Observer.mu.Unlock()
	name, _ := s.Observer.instanceOf(t)
	return cmp.Or(name, t.Name.String())
}
