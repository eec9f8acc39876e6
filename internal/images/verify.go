package images

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

const (
	// addressTime is how long an instance may take to get its first address.
	addressTime = time.Minute
	// hookTime is how long a hook may take, and hookLastTime how long once more: hooks may be
	// run twice, and one that came before what it waits for finds it then.
	hookTime, hookLastTime = 2 * time.Minute, 10 * time.Minute
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
			c.autopsy(ctx, run, name)
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
	address, err := c.await(ctx, name)
	if err != nil {
		return err
	}
	if address == "" {
		return fleet.Errorf(fleet.Unhealthy, "it got no address within %s", addressTime).
			WithHint("see that eth0 of the profile default is on a network with DHCP, and that the image asks for an address")
	}
	if err := waitHealthy(ctx, c.HTTP, address, checkDomain, e.Image.Health); err != nil {
		return err
	}
	if err := c.hook(ctx, run, e, "health"); err != nil {
		return err
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
			"LXDFLEET_DOMAINS": checkDomain, "LXDFLEET_URL": "https://" + checkDomain,
		},
		timeout: hookTime,
	}
	began := c.Now()
	err := c.exec(ctx, run, checkName(run.JobID), cmd)
	if fleet.CodeOf(err) == fleet.Failed && c.Now().Sub(began) >= hookTime {
		cmd.timeout = hookLastTime
		err = c.exec(ctx, run, checkName(run.JobID), cmd)
	}
	return err
}

// await gives the first address of a running instance; empty where it gets none within
// addressTime.
func (c *crew) await(ctx context.Context, name string) (string, error) {
	deadline := time.Now().Add(addressTime)
	for {
		addresses, err := c.LXD.Addresses(ctx, name)
		switch {
		case err != nil:
			return "", fmt.Errorf("read the address of %s: %w", name, err)
		case len(addresses) > 0:
			return addresses[0], nil
		case time.Now().After(deadline):
			return "", nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// autopsy keeps, with the job, what the instance can say of why it is not well: the journal,
// or the console where there is no journal. It takes at most 20 s.
func (c *crew) autopsy(ctx context.Context, run *jobs.Run, name string) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out := &transcript{to: run.Output()}
	fmt.Fprintln(out, "Units of the clone that failed, and the end of its journal:")
	exit, err := c.LXD.Exec(ctx, name, fleet.ExecSpec{
		Command: []string{"sh", "-c", "systemctl --failed --no-pager --plain; journalctl --no-pager -n 300"},
		Env:     map[string]string{"SYSTEMD_COLORS": "0", "LANG": "C.UTF-8"},
		Stdout:  out, Stderr: out,
	})
	if err == nil && exit == 0 {
		return
	}
	fmt.Fprintln(out, "The journal cannot be read. The console:")
	console, err := c.LXD.ConsoleLog(ctx, name)
	if err != nil {
		fmt.Fprintf(out, "The console cannot be read either: %v\n", err)
		return
	}
	fmt.Fprintf(out, "%s\n", console)
}
