package images

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/hooks"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

const (
	// addressTime is how long an instance may take to get its first address.
	addressTime = time.Minute
	// checkDomain is the throwaway domain of the clone that is checked: nothing can be reached
	// under it (RFC 2606).
	checkDomain = "check.invalid"
)

// verify clones the image once, has it personalised and waits for its health. The clone goes
// whatever comes of it; what it had to say goes into the job's output.
func (c *crew) verify(ctx context.Context, run *jobs.Run, e *edition) error {
	name := checkName(run.JobID)
	err := c.LXD.EnsureClone(ctx, fleet.CloneSpec{
		Name: name, Fingerprint: e.Image.Fingerprint, Profiles: []string{"default"},
		Config: map[string]string{
			fleet.KeyJob: run.JobID, fleet.KeyRole: fleet.RoleCheck, fleet.KeyImage: e.ref().String(),
		},
	}, run.Progress)
	if err != nil {
		return fmt.Errorf("clone %s to check it: %w", e.ref(), err)
	}
	if err := c.tryOut(ctx, run, e); err != nil {
		if code := fleet.CodeOf(err); code == fleet.Unhealthy || code == fleet.Failed {
			hooks.Autopsy(ctx, c.LXD, name, &transcript{to: run.Output()})
		}
		return fmt.Errorf("check a clone of %s: %w", e.ref(), err)
	}
	return c.dropCheck(ctx, run, e)
}

func (c *crew) dropCheck(ctx context.Context, run *jobs.Run, e *edition) error {
	if err := c.LXD.EnsureDeleted(ctx, checkName(run.JobID)); err != nil {
		return fmt.Errorf("delete the clone that checked %s: %w", e.ref(), err)
	}
	return nil
}

// tryOut starts the clone and takes it through what every tenant goes through.
func (c *crew) tryOut(ctx context.Context, run *jobs.Run, e *edition) error {
	name, began := checkName(run.JobID), c.Now()
	if err := c.LXD.EnsureStarted(ctx, name); err != nil {
		return err
	}
	if err := c.hook(ctx, run, e, "personalize"); err != nil {
		return err
	}
	backend, err := await(ctx, func() (string, error) {
		backends, err := c.LXD.Backends(ctx, name, e.Image.Health.Port)
		if err != nil || len(backends) == 0 {
			return "", err
		}
		return backends[0].Dial(e.Image.Health.Port), nil
	})
	if err != nil {
		return fmt.Errorf("find out where %s is reached: %w", name, err)
	}
	if backend == "" {
		return fleet.Errorf(fleet.Unhealthy, "it got no address within %s", addressTime).
			WithHint("see that eth0 of the profile default is on a network with DHCP, and that the image asks for an address")
	}
	if err := waitHealthy(ctx, c.HTTP, backend, checkDomain, e.Image.Health); err != nil {
		return err
	}
	for _, name := range []string{"health", "check"} {
		if err := c.hook(ctx, run, e, name); err != nil {
			return err
		}
	}
	say(run, "A clone was healthy %s after its start.", c.Now().Sub(began).Round(10*time.Millisecond))
	return nil
}

// hook runs a hook of the clone, where the image has it. What it prints is shown.
func (c *crew) hook(ctx context.Context, run *jobs.Run, e *edition, name string) error {
	if !slices.Contains(e.Image.Hooks, name) {
		return nil
	}
	cmd := command{
		what: "the hook " + name,
		args: []string{path.Join(fleet.HookDir, name)},
		env: map[string]string{
			"LXDFLEET_TENANT": "check", "LXDFLEET_DOMAIN": checkDomain,
			"LXDFLEET_DOMAINS": checkDomain, "LXDFLEET_URL": fleet.Domain(checkDomain).URL(443),
		},
	}
	out := &transcript{to: run.Output()}
	exit, err := hooks.Run(ctx, c.LXD, checkName(run.JobID), hooks.Command{Args: cmd.args, Env: cmd.environment(), Output: out})
	return cmd.verdict(run, exit, err, out)
}

// await gives what look finds; empty where it finds nothing within addressTime.
func await(ctx context.Context, look func() (string, error)) (string, error) {
	deadline := time.Now().Add(addressTime)
	for {
		found, err := look()
		if err != nil || found != "" || time.Now().After(deadline) {
			return found, err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
