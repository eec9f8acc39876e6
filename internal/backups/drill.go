package backups

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// drillState is the state of backup.drill.
type drillState struct {
	ID     string       `json:"id"`
	Backup fleet.Backup `json:"backup"`
	Kept   Keepsake     `json:"kept"`
	Member string       `json:"member"`
	At     time.Time    `json:"at"` // when it was asked for
	// Ready is when the restored instance was found well.
	Ready  time.Time `json:"ready,omitzero"`
	Checks []string  `json:"checks,omitempty"`
	// Failure says what did not pass; empty: nothing.
	Failure string `json:"failure,omitempty"`
}

// drill restores a backup on trial. What does not pass is the drill's result, not a failure of
// the job; that fails only where the drill could not be held.
func (c *crew) drill() jobs.Kind[drillState] {
	return jobs.Kind[drillState]{
		Name:    KindDrill,
		Version: 1,
		Steps: []jobs.Step[drillState]{
			// Undo: the instance and the image it came from go.
			{Name: "fetch", Do: c.drillFetch, Undo: c.drillUnfetch},
			// No undo: a running instance is deleted like a stopped one.
			{Name: "start", Do: c.drillStart},
			{Name: "check", Do: c.drillCheck},
			{Name: "record", Do: c.drillRecord},
			{Name: "destroy", Do: c.drillDestroy},
		},
		Commit: "record",
	}
}

func (s *drillState) failed() bool { return s.Failure != "" }

// outcome notes what was looked at. An error is the drill's failure, unless it says that the drill
// could not be held just now.
func (s *drillState) outcome(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		s.Checks = append(s.Checks, what+": passed")
		return nil
	case ctx.Err() != nil || fleet.CodeOf(err) == fleet.Unavailable || fleet.CodeOf(err) == fleet.Exhausted:
		return err
	}
	s.Checks = append(s.Checks, what+": failed")
	s.Failure = what + ": " + err.Error()
	return nil
}

// drillFetch makes the instance, with its plan's limits and no way to anybody.
func (c *crew) drillFetch(ctx context.Context, run *jobs.Run, s *drillState) error {
	profiles, err := c.LXD.Profiles(ctx)
	if err != nil {
		return fmt.Errorf("read the profiles: %w", err)
	}
	spec := fleet.CloneSpec{Name: drillName(run.JobID), Member: s.Member, Config: s.Kept.plain()}
	spec.Config[fleet.KeyRole] = fleet.RoleDrill
	spec.Profiles, spec.Devices = secluded(s.Kept, profiles)
	err = c.fetch(ctx, run, "", s.Backup, spec)
	if err != nil && c.unheard(ctx, err) {
		return err
	}
	return s.outcome(ctx, "restore", err)
}

// unheard reports whether an error leaves the drill without a result, so that its undo is due.
func (c *crew) unheard(ctx context.Context, err error) bool {
	code := fleet.CodeOf(err)
	return ctx.Err() != nil || code != fleet.Failed && code != fleet.Conflict && code != fleet.NotFound
}

// secluded gives the profiles that are there of those of the backup, and the devices with each
// network device taken away.
func secluded(k Keepsake, there []fleet.ProfileSpec) (profiles []string, devices map[string]map[string]string) {
	devices = map[string]map[string]string{}
	hide := func(all map[string]map[string]string, own bool) {
		for name, d := range all {
			switch {
			case d["type"] == "nic":
				devices[name] = map[string]string{"type": "none"}
			case own && devices[name] == nil:
				devices[name] = d
			}
		}
	}
	for _, name := range k.profiles(k.Tenant.Plan) {
		for _, p := range there {
			if p.Name == name {
				profiles = append(profiles, name)
				hide(p.Devices, false)
			}
		}
	}
	if profiles == nil {
		profiles = []string{"default"}
	}
	hide(k.Devices, true)
	return profiles, devices
}

func (c *crew) drillUnfetch(ctx context.Context, run *jobs.Run, _ *drillState) error {
	return c.unfetch(ctx, run, drillName(run.JobID))
}

func (c *crew) drillStart(ctx context.Context, run *jobs.Run, s *drillState) error {
	if s.failed() {
		return nil
	}
	return s.outcome(ctx, "boot", c.LXD.EnsureStarted(ctx, drillName(run.JobID)))
}

func (c *crew) drillRecord(ctx context.Context, run *jobs.Run, s *drillState) error {
	d := fleet.Drill{
		ID: s.ID, BackupID: s.Backup.ID, Tenant: s.Backup.Tenant, At: s.At, Passed: !s.failed(), Error: s.Failure,
		RPO: s.At.Sub(s.Backup.TakenAt), Bytes: s.Backup.Size, Checks: s.Checks, JobID: run.JobID,
	}
	if !s.Ready.IsZero() {
		d.RTO = s.Ready.Sub(s.At)
	}
	if err := c.Store.SaveDrill(ctx, d); err != nil {
		return fmt.Errorf("record the drill: %w", err)
	}
	kind := "drill.passed"
	if d.Passed {
		say(run, "The drill of backup %s passed: restored and well in %s", short(d.BackupID), d.RTO.Round(time.Millisecond))
	} else {
		kind = "drill.failed"
		say(run, "The drill of backup %s failed: %s", short(d.BackupID), d.Error)
		c.Log.Error("a restore drill failed", "tenant", d.Tenant, "backup", d.BackupID, "error", d.Error)
	}
	c.tell(kind, "drill/"+d.ID, d)
	return c.dropOldDrills(ctx, d.Tenant)
}

func (c *crew) drillDestroy(ctx context.Context, run *jobs.Run, _ *drillState) error {
	return c.unfetch(ctx, run, drillName(run.JobID))
}

// mostDrills is how many results are kept of a tenant where its policy does not say.
const mostDrills = 100

// dropOldDrills forgets results that the tenant's policy does not keep.
func (c *crew) dropOldDrills(ctx context.Context, name fleet.Name) error {
	list, err := c.Store.Drills(ctx, fleet.DrillFilter{Tenant: name})
	if err != nil {
		return err
	}
	keep, zone := fleet.Keep{Last: mostDrills}, ""
	t, err := c.Store.Tenant(ctx, name)
	if err == nil {
		policy, look := c.Tenants.Policy(ctx, t)
		if look == nil && policy.Drills != nil && policy.Drills.Keep != (fleet.Keep{}) {
			keep, zone = policy.Drills.Keep, policy.TimeZone
		}
		err = look
	}
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return err
	}
	var errs error
	for _, id := range goingDrills(list, keep, zone, c.Now()) {
		errs = errors.Join(errs, c.Store.DeleteDrill(ctx, id))
	}
	return errs
}
