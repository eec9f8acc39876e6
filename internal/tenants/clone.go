package tenants

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// KindClone is the kind of the jobs that make a new tenant of another's snapshot.
const KindClone = "snapshot.clone"

// origin is what a tenant is made of in place of an image: a snapshot of another tenant.
type origin struct {
	Tenant   string `json:"tenant"`   // the other's id
	Instance string `json:"instance"` // that has the snapshot
	Snapshot string `json:"snapshot"`
	// Mail: the copy may write to the original's customers, and do what it does by the clock.
	Mail bool `json:"mail,omitempty"`
}

// told is what the personalize hook of a copy is told besides the tenant.
func (o *origin) told() map[string]string {
	switch {
	case o == nil:
		return nil
	case o.Mail:
		return map[string]string{"LXDFLEET_COPY": "1", "LXDFLEET_MAIL": "1"}
	}
	return map[string]string{"LXDFLEET_COPY": "1"}
}

// cloneTenant makes a tenant of another's snapshot, as create does of an image. The subject is
// the new tenant; the other goes on meanwhile.
func (c *crew) cloneTenant() jobs.Kind[createState] {
	kind := c.create()
	kind.Name = KindClone
	for i := range kind.Steps {
		if kind.Steps[i].Name == "clone" {
			kind.Steps[i].Do = c.cloneSnapshot
		}
	}
	return kind
}

func (c *crew) cloneSnapshot(ctx context.Context, run *jobs.Run, s *createState) error {
	defer c.nursery.enter(s.Tenant.Member)()
	c.Observer.setMaking(s.instance(), true)
	from := s.From
	if from == nil {
		return fleet.Errorf(fleet.Internal, "job %s does not say what to clone", run.JobID)
	}
	config := keysOf(s.Tenant)
	maps.Copy(config, map[string]string{fleet.KeyJob: run.JobID, fleet.KeyReady: ""})
	err := c.LXD.EnsureCopy(ctx, fleet.CopySpec{
		Source: from.Instance, Snapshot: from.Snapshot, Name: s.instance(), Member: s.Tenant.Member,
		Profiles: []string{"default", s.Tenant.Plan}, Config: config,
	}, run.Progress)
	if err != nil {
		return fmt.Errorf("clone %s from snapshot %s of %s: %w", s.Tenant.Name, from.Snapshot, from.Instance, err)
	}
	return c.estrange(ctx, s)
}

// quietUnits are masked in a copy whose image cannot be told to keep still.
var quietUnits = []string{
	"cron.service", "crond.service", "cronie.service", "anacron.timer", "timers.target",
	"postfix.service", "postfix@-.service", "exim4.service", "sendmail.service", "opensmtpd.service", "nullmailer.service",
}

// estrange takes from a stopped copy what makes it the original to others and to itself, before it
// is started for the first time: a machine's id is what it asks for its address with, and by its
// name it knows that it is a copy.
func (c *crew) estrange(ctx context.Context, s *createState) error {
	files := []fleet.File{
		{Path: "/etc/machine-id", Mode: 0o444, Content: strings.NewReader("")},
		{Path: "/etc/hostname", Mode: 0o644, Content: strings.NewReader(s.instance() + "\n")},
	}
	if !s.Hook && !s.From.Mail {
		for _, unit := range quietUnits { // an empty unit file is as good as a mask
			files = append(files, fleet.File{Path: path.Join("/etc/systemd/system", unit), Mode: 0o644, Content: strings.NewReader("")})
		}
	}
	for _, f := range files {
		if err := c.LXD.PushFile(ctx, s.instance(), f); err != nil {
			return fmt.Errorf("prepare the copy %s: %w", s.Tenant.Name, err)
		}
	}
	return nil
}

// CloneRequest asks for a tenant made of a snapshot of another.
type CloneRequest struct {
	Name    string
	Domains []string // none: NAME.BaseDomain
	Plan    string   // empty: the original's
	Member  string   // empty: the original's, where its blocks are shared
	// Mail lets the copy send mail and run its timed jobs, as the original does.
	Mail bool
}

// Clone checks the request and makes the job that makes a new tenant of a snapshot, which is one
// of the given instance's. Errors are those of Create.
func (s *Service) Clone(ctx context.Context, original fleet.Tenant, instance, snapshot string, req CloneRequest, once Once) (fleet.Job, error) {
	name, err := fleet.ParseName(req.Name)
	if err != nil {
		return fleet.Job{}, err
	}
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	if req.Plan == "" {
		req.Plan = original.Plan
	}
	t, err := s.draft(ctx, name, req.Domains, req.Plan)
	if err != nil {
		return fleet.Job{}, err
	}
	t.Image, t.Health, t.Desired = original.Image, original.Health, fleet.DesiredRunning
	t.Contact, t.Labels, t.Quiesce = original.Contact, maps.Clone(original.Labels), original.Quiesce
	state := createState{Tenant: t, From: &origin{Tenant: original.ID, Instance: instance, Snapshot: snapshot, Mail: req.Mail}}
	if state.Hook, err = s.personalized(ctx, original.Image); err != nil {
		return fleet.Job{}, err
	}
	if job, ok := s.active(ctx, name); ok {
		return fleet.Job{}, busy(name, job)
	}
	if err := s.unclaimed(ctx, t); err != nil {
		return fleet.Job{}, err
	}
	member := req.Member
	if member == "" {
		member = original.Member
	}
	if state.Tenant.Member, err = s.place(ctx, t, fleet.GoldenImage{}, member); err != nil {
		return fleet.Job{}, err
	}
	job, err := s.submit(ctx, KindClone, name, state, once)
	if err != nil {
		s.Observer.survey.release(name.String())
	}
	return job, err
}

// personalized reports whether instances of the image have a personalize hook.
func (s *Service) personalized(ctx context.Context, ref fleet.ImageRef) (bool, error) {
	if ref.Name == "" {
		return false, nil
	}
	image, err := s.Images.GoldenImage(ctx, ref)
	if fleet.CodeOf(err) == fleet.NotFound {
		return true, nil // it was removed; the hook is tried where there is one
	}
	if err != nil {
		return false, fmt.Errorf("read image %s: %w", ref, err)
	}
	return slices.Contains(image.Hooks, "personalize"), nil
}
