package backups

import (
	"context"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// CreateRequest asks for a backup.
type CreateRequest struct {
	Note   string
	Pinned bool // survives retention and unforced deletes
	Crash  bool // do not hold the application still
}

// EditRequest changes what is recorded of a backup; nil fields stay.
type EditRequest struct {
	Pinned *bool
	Note   *string
}

// RestoreRequest says where to a backup is restored.
type RestoreRequest struct {
	// Into names a new tenant; empty: the backup's own tenant is put back in place.
	Into string
	// The rest is of a new tenant only, and as in tenants' creation.
	Domains []string
	Plan    string // empty: that of the backup
	Member  string // empty: placement chooses
	// Mail leaves outgoing mail and cron on. Off by default, so that a copy never writes to the
	// customers of its original.
	Mail bool
}

// VerifyRequest says what is verified: one backup, those of a tenant, or all.
type VerifyRequest struct {
	Backup string
	Tenant fleet.Name
	// Deep reads all contents, not only what there is of them.
	Deep bool
}

// DrillRequest says what is restored on trial: a backup, a tenant's newest, or, where neither is
// given, the newest of the tenant whose last drill is the longest ago.
type DrillRequest struct {
	Backup string
	Tenant fleet.Name
}

// Create makes a job that backs the tenant up.
func (s *Service) Create(ctx context.Context, name fleet.Name, req CreateRequest, once Once) (fleet.Job, error) {
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	return s.create(ctx, name, req, "", once)
}

func (s *Service) create(ctx context.Context, name fleet.Name, req CreateRequest, policy string, once Once) (fleet.Job, error) {
	if err := checkNote(req.Note); err != nil {
		return fleet.Job{}, err
	}
	t, err := s.tenant(ctx, name)
	if err != nil {
		return fleet.Job{}, err
	}
	if _, err := s.Vault.Open(ctx); err != nil {
		return fleet.Job{}, err
	}
	return s.submit(ctx, KindCreate, ofBackup(name), createState{
		Tenant: t.Name, TenantID: t.ID, Policy: policy, Note: req.Note, Pinned: req.Pinned, Crash: req.Crash,
	}, once)
}

// Edit changes what is recorded of a backup, at once.
func (s *Service) Edit(ctx context.Context, id string, req EditRequest) (fleet.Backup, error) {
	if req.Note != nil {
		if err := checkNote(*req.Note); err != nil {
			return fleet.Backup{}, err
		}
	}
	b, err := s.Backup(ctx, id)
	if err != nil {
		return fleet.Backup{}, err
	}
	after, err := s.Store.EditBackup(ctx, b.ID, func(b *fleet.Backup) {
		if req.Pinned != nil {
			b.Pinned = *req.Pinned
		}
		if req.Note != nil {
			b.Note = *req.Note
		}
	})
	if err == nil {
		s.tell("backup.changed", ofEntry(b.ID), after)
	}
	return after, err
}

// Restore makes a job that puts the backup's tenant back in place, or makes a new one of it. A
// backup known to be damaged is refused with fleet.Conflict.
func (s *Service) Restore(ctx context.Context, id string, req RestoreRequest, once Once) (fleet.Job, error) {
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	b, err := s.Backup(ctx, id)
	if err != nil {
		return fleet.Job{}, err
	}
	if err := undamaged(b); err != nil {
		return fleet.Job{}, err
	}
	kept, err := s.recall(ctx, b.ID)
	if err != nil {
		return fleet.Job{}, err
	}
	if req.Into == "" {
		return s.inPlace(ctx, b, kept, once)
	}
	name, err := fleet.ParseName(req.Into)
	if err != nil {
		return fleet.Job{}, err
	}
	if req.Plan == "" {
		req.Plan = kept.Tenant.Plan
	}
	t, err := s.Tenants.Draft(ctx, Draft{Name: name, Domains: req.Domains, Plan: req.Plan, Member: req.Member, From: kept.Tenant})
	if err != nil {
		return fleet.Job{}, err
	}
	return s.submit(ctx, KindClone, ofTenant(name), cloneState{Backup: b, Kept: kept, Tenant: t, Copy: true, Mail: req.Mail}, once)
}

func (s *Service) inPlace(ctx context.Context, b fleet.Backup, kept Keepsake, once Once) (fleet.Job, error) {
	t, err := s.Store.TenantByID(ctx, b.TenantID)
	if fleet.CodeOf(err) == fleet.NotFound {
		return fleet.Job{}, fleet.Errorf(fleet.NotFound, "the tenant %s of this backup is no more", b.Tenant).WithField("backup").
			WithHint("make a tenant of it: lxdfleet backup restore %s --into %s", short(b.ID), b.Tenant)
	}
	if err != nil {
		return fleet.Job{}, fmt.Errorf("read tenant %s: %w", b.Tenant, err)
	}
	if t.Desired == fleet.DesiredRemoved {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "tenant %s is in the trash", t.Name).
			WithHint("take it back first: lxdfleet tenant undelete %s", t.Name)
	}
	return s.submit(ctx, KindRestore, ofTenant(t.Name), restoreState{Backup: b, Kept: kept, Tenant: t}, once)
}

// Delete makes a job that deletes a backup. A pinned one is fleet.Conflict without force.
func (s *Service) Delete(ctx context.Context, id string, force bool, once Once) (fleet.Job, error) {
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	b, err := s.Backup(ctx, id)
	if err != nil {
		return fleet.Job{}, err
	}
	if b.Pinned && !force {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "backup %s is pinned", short(b.ID)).
			WithHint("unpin it, or delete it with --force")
	}
	return s.submit(ctx, KindDelete, ofEntry(b.ID), deleteState{IDs: []string{b.ID}}, once)
}

// Verify makes a job that reads backups and records what is wrong with them.
func (s *Service) Verify(ctx context.Context, req VerifyRequest, once Once) (fleet.Job, error) {
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	state, subject := verifyState{Deep: req.Deep}, ofVerify
	if req.Backup != "" {
		b, err := s.Backup(ctx, req.Backup)
		if err != nil {
			return fleet.Job{}, err
		}
		state.IDs, subject = []string{b.ID}, ofEntry(b.ID)
	} else {
		list, err := s.Store.Backups(ctx, fleet.BackupFilter{Tenant: req.Tenant})
		if err != nil {
			return fleet.Job{}, err
		}
		if len(list) == 0 {
			return fleet.Job{}, fleet.Errorf(fleet.NotFound, "there is no backup to verify").WithHint("make one: lxdfleet backup create TENANT")
		}
		for _, b := range list {
			state.IDs = append(state.IDs, b.ID)
		}
	}
	return s.submit(ctx, KindVerify, subject, state, once)
}

// Prune makes a job that deletes what no policy keeps and frees what no backup needs any more.
func (s *Service) Prune(ctx context.Context, once Once) (fleet.Job, error) {
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	if _, err := s.Vault.Open(ctx); err != nil {
		return fleet.Job{}, err
	}
	return s.submit(ctx, KindPrune, ofPrune, pruneState{}, once)
}

// SaveControl makes a job that saves what the control plane knows.
func (s *Service) SaveControl(ctx context.Context, once Once) (fleet.Job, error) {
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	if _, err := s.Vault.Open(ctx); err != nil {
		return fleet.Job{}, err
	}
	return s.submit(ctx, KindControlSave, ofControl, controlState{}, once)
}

// Drill makes a job that restores a backup on trial.
func (s *Service) Drill(ctx context.Context, req DrillRequest, once Once) (fleet.Job, error) {
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	b, err := s.sample(ctx, req)
	if err != nil {
		return fleet.Job{}, err
	}
	kept, err := s.recall(ctx, b.ID)
	if err != nil {
		return fleet.Job{}, err
	}
	member, err := s.Tenants.Place(ctx, kept.Tenant)
	if err != nil {
		return fleet.Job{}, err
	}
	return s.submit(ctx, KindDrill, ofDrill(b.Tenant), drillState{
		ID: fleet.NewID(s.Now()), Backup: b, Kept: kept, Member: member, At: s.Now(),
	}, once)
}

// sample chooses the backup of a drill.
func (s *Service) sample(ctx context.Context, req DrillRequest) (fleet.Backup, error) {
	if req.Backup != "" {
		return s.Backup(ctx, req.Backup)
	}
	list, err := s.Store.Backups(ctx, fleet.BackupFilter{Tenant: req.Tenant})
	if err != nil {
		return fleet.Backup{}, err
	}
	drills, err := s.Store.Drills(ctx, fleet.DrillFilter{Tenant: req.Tenant})
	if err != nil {
		return fleet.Backup{}, err
	}
	last := map[fleet.Name]time.Time{}
	for _, d := range drills {
		if d.At.After(last[d.Tenant]) {
			last[d.Tenant] = d.At
		}
	}
	var best *fleet.Backup
	seen := map[fleet.Name]bool{}
	for i, b := range list { // newest first
		if seen[b.Tenant] {
			continue
		}
		seen[b.Tenant] = true
		if best == nil || last[b.Tenant].Before(last[best.Tenant]) {
			best = &list[i]
		}
	}
	if best == nil {
		return fleet.Backup{}, fleet.Errorf(fleet.NotFound, "there is no backup to restore on trial").
			WithHint("make one: lxdfleet backup create TENANT")
	}
	return *best, nil
}

// undamaged refuses a backup that a verification found damaged.
func undamaged(b fleet.Backup) error {
	if b.Damage == "" {
		return nil
	}
	return fleet.Errorf(fleet.Conflict, "backup %s is damaged and is not restored: %s", short(b.ID), b.Damage).WithField("backup").
		WithHint("restore another: lxdfleet backup list %s; or, where the repository was mended, verify it again: lxdfleet backup verify %s", b.Tenant, short(b.ID))
}

// short is what people write for a backup's id.
func short(id string) string { return id[:min(len(id), 12)] }

func checkNote(note string) error {
	if !utf8.ValidString(note) || utf8.RuneCountInString(note) > 200 {
		return fleet.Errorf(fleet.Invalid, "the note is too long").WithField("note").WithHint("use at most 200 characters")
	}
	for _, r := range note {
		if !unicode.IsPrint(r) {
			return fleet.Errorf(fleet.Invalid, "the note has characters that cannot be printed").WithField("note").WithHint("use one line of text")
		}
	}
	return nil
}
