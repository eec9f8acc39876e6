package snapshots

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// CreateRequest asks for a snapshot.
type CreateRequest struct {
	Name   string // empty: made of the time
	Note   string
	Pinned bool // retention leaves it alone
	// Crash: do not hold the application still.
	Crash bool
}

// nameRule is what LXD takes for a snapshot and a shell needs no quotes for.
var nameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// timeForm makes names of times, in UTC.
const timeForm = "20060102-150405"

// Create makes a job that takes a snapshot. Errors: fleet.Invalid with the field at fault,
// fleet.Taken where the tenant has one of that name, fleet.Busy, fleet.Conflict.
func (s *Service) Create(ctx context.Context, name fleet.Name, req CreateRequest, once Once) (fleet.Job, error) {
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	t, err := s.present(ctx, name)
	if err != nil {
		return fleet.Job{}, err
	}
	if req.Name == "" {
		req.Name = "manual-" + s.Now().UTC().Format(timeForm)
	}
	if !nameRule.MatchString(req.Name) {
		return fleet.Job{}, fleet.Errorf(fleet.Invalid, "%q is no name for a snapshot", req.Name).WithField("name").
			WithHint("use 1 to 63 letters, digits, dots, underscores and hyphens, beginning with a letter or digit")
	}
	if err := checkNote(req.Note); err != nil {
		return fleet.Job{}, err
	}
	if err := s.free(ctx, t, req.Name); err != nil {
		return fleet.Job{}, err
	}
	return s.submit(ctx, KindCreate, name, createState{
		TenantID: t.ID, Crash: req.Crash,
		Snapshot: fleet.Snapshot{Tenant: name, Name: req.Name, Origin: fleet.OriginManual, Note: req.Note, Pinned: req.Pinned},
	}, once)
}

// free fails with fleet.Taken where the tenant has a snapshot of the name.
func (s *Service) free(ctx context.Context, t fleet.Tenant, snapshot string) error {
	all, err := list(ctx, s.LXD, s.Store, t)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.Name == snapshot {
			return fleet.Errorf(fleet.Taken, "tenant %s has a snapshot %s already", t.Name, snapshot).WithField("name").WithHint("choose another name")
		}
	}
	return nil
}

func checkNote(note string) error {
	if !utf8.ValidString(note) || utf8.RuneCountInString(note) > 1000 ||
		strings.ContainsFunc(note, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }) {
		return fleet.Errorf(fleet.Invalid, "the note is too long or has characters that cannot be printed").WithField("note").
			WithHint("use at most 1000 printable characters")
	}
	return nil
}

// EditRequest asks for a change of what is written down about a snapshot. What is nil stays.
type EditRequest struct {
	Pinned *bool
	Note   *string
}

// Edit changes what is written down about a snapshot, at once; fleet.NotFound.
func (s *Service) Edit(ctx context.Context, name fleet.Name, snapshot string, req EditRequest) (fleet.Snapshot, error) {
	if req.Note != nil {
		if err := checkNote(*req.Note); err != nil {
			return fleet.Snapshot{}, err
		}
	}
	t, n, err := s.find(ctx, name, snapshot)
	if err != nil {
		return fleet.Snapshot{}, err
	}
	after, err := s.Store.EditSnapshot(ctx, t.ID, n, func(n *fleet.Snapshot) {
		if req.Pinned != nil {
			n.Pinned = *req.Pinned
		}
		if req.Note != nil {
			n.Note = *req.Note
		}
	})
	if err != nil {
		return fleet.Snapshot{}, fmt.Errorf("edit snapshot %s of %s: %w", snapshot, name, err)
	}
	s.Changed(name)
	n.Pinned, n.Note = after.Pinned, after.Note
	return n, nil
}

// Delete makes a job that deletes a snapshot. A pinned one is fleet.Conflict without force.
func (s *Service) Delete(ctx context.Context, name fleet.Name, snapshot string, force bool, once Once) (fleet.Job, error) {
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	t, n, err := s.find(ctx, name, snapshot)
	if err != nil {
		return fleet.Job{}, err
	}
	if n.Pinned && !force {
		return fleet.Job{}, fleet.Errorf(fleet.Conflict, "snapshot %s of %s is pinned", snapshot, name).
			WithHint("unpin it: lxdfleet snapshot edit %s %s --unpin; or delete it with --force", name, snapshot)
	}
	return s.submit(ctx, KindDelete, name, deleteState{TenantID: t.ID, Tenant: name, Snapshots: []string{snapshot}, Force: force}, once)
}

// Restore makes a job that brings the tenant back to a snapshot: a safety snapshot is taken
// first, visitors wait meanwhile, and a tenant that is not well afterwards is brought back to
// the safety snapshot. All other snapshots stay.
func (s *Service) Restore(ctx context.Context, name fleet.Name, snapshot string, once Once) (fleet.Job, error) {
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	if _, err := s.present(ctx, name); err != nil {
		return fleet.Job{}, err
	}
	t, n, err := s.find(ctx, name, snapshot)
	if err != nil {
		return fleet.Job{}, err
	}
	safety := "before-restore-" + s.Now().UTC().Format(timeForm)
	if err := s.free(ctx, t, safety); err != nil {
		return fleet.Job{}, err
	}
	return s.submit(ctx, KindRestore, name, restoreState{
		TenantID: t.ID, Tenant: name, Snapshot: snapshot, Holder: holder(t, n), Safety: safety,
	}, once)
}

// CloneRequest asks for a new tenant made of a snapshot.
type CloneRequest struct {
	Name    string
	Domains []string // none: the name under the base domain
	Plan    string   // empty: the original's
	Member  string   // empty: the original's
	// Mail lets the copy send mail and run its timed jobs, as the original does.
	Mail bool
}

// Clone makes a job that makes a new tenant of a snapshot, with secrets of its own; its subject
// is the new tenant. Errors as for a new tenant.
func (s *Service) Clone(ctx context.Context, name fleet.Name, snapshot string, req CloneRequest, once Once) (fleet.Job, error) {
	if job, ok, err := s.replayed(ctx, once); ok || err != nil {
		return job, err
	}
	t, n, err := s.find(ctx, name, snapshot)
	if err != nil {
		return fleet.Job{}, err
	}
	return s.Cloner.Clone(ctx, t, holder(t, n), snapshot, req, once)
}
