package api

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/backups"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ListBackups gives a page of backups.
func (s *Server) ListBackups(ctx context.Context, r ListBackupsRequestObject) (ListBackupsResponseObject, error) {
	size, after, err := pageOf(r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	filter := fleet.BackupFilter{Damaged: r.Params.Damaged, Limit: size + 1}
	if filter.Tenant, err = optionalTenant(r.Params.Tenant); err != nil {
		return nil, err
	}
	sorted, err := orderOf(string(r.Params.Sort), "-taken", "taken")
	if err != nil {
		return nil, err
	}
	if after, err = sorted.read(after); err != nil {
		return nil, err
	}
	if filter.Before, err = backupAt(after); err != nil {
		return nil, err
	}
	if err := oneOf("consistency", r.Params.Consistency); err != nil {
		return nil, err
	}
	filter.Policy, filter.Consistency, filter.Pinned = r.Params.Policy, fleet.Consistency(r.Params.Consistency), r.Params.Pinned
	filter.From, filter.To, filter.OldestFirst = r.Params.From, r.Params.To, !sorted.down
	found, err := ofOwn(callerOf(ctx), filter.Tenant, func(tenant fleet.Name) ([]fleet.Backup, error) {
		filter.Tenant = tenant
		return s.Backups.List(ctx, filter)
	}, func(a, b fleet.Backup) int {
		newer := cmp.Or(b.TakenAt.Compare(a.TakenAt), cmp.Compare(b.ID, a.ID))
		if sorted.down {
			return newer
		}
		return -newer
	})
	if err != nil {
		return nil, err
	}
	found, next := cut(found, size, func(b fleet.Backup) string { return sorted.mark(placeOf(b)) })
	list := BackupList{Items: make([]Backup, len(found)), NextCursor: next}
	for i, b := range found {
		list.Items[i] = backupOut(b)
	}
	return ListBackups200JSONResponse(list), nil
}

// optionalTenant reads the name of a tenant; empty where none is given.
func optionalTenant(name string) (fleet.Name, error) {
	if name == "" {
		return "", nil
	}
	n, err := fleet.ParseName(name)
	if err != nil {
		return "", fleet.Errorf(fleet.Invalid, "%q is not a tenant name", name).WithField("tenant").WithHint("see them with: lxdfleet tenant list")
	}
	return n, nil
}

// place is where a backup is in the list of all.
type place struct {
	At time.Time `json:"at"`
	ID string    `json:"id"`
}

func placeOf(b fleet.Backup) string {
	text, err := json.Marshal(place{b.TakenAt, b.ID})
	if err != nil {
		return "" // a year with five digits: what was not taken by this clock
	}
	return string(text)
}

// backupAt reads what placeOf wrote; nil where it is empty.
func backupAt(key string) (*fleet.Backup, error) {
	if key == "" {
		return nil, nil //nolint:nilnil // the first page
	}
	var p place
	if json.Unmarshal([]byte(key), &p) != nil {
		return nil, fleet.Errorf(fleet.Invalid, "this is not the cursor of a list of backups").WithField("cursor").
			WithHint("give next_cursor of the page before, unchanged")
	}
	return &fleet.Backup{ID: p.ID, TakenAt: p.At}, nil
}

// GetBackup gives one backup.
func (s *Server) GetBackup(ctx context.Context, r GetBackupRequestObject) (GetBackupResponseObject, error) {
	b, err := s.Backups.Backup(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return GetBackup200JSONResponse(backupOut(b)), nil
}

// CreateBackup backs a tenant up.
func (s *Server) CreateBackup(ctx context.Context, r CreateBackupRequestObject) (CreateBackupResponseObject, error) {
	if r.Body.Tenant == "" {
		return nil, fleet.Errorf(fleet.Invalid, "no tenant is named").WithField("tenant").WithHint("name the tenant to back up")
	}
	name, err := optionalTenant(r.Body.Tenant)
	if err != nil {
		return nil, err
	}
	job, err := s.Backups.Create(ctx, name, backups.CreateRequest{
		Note: r.Body.Note, Pinned: r.Body.Pinned, Crash: r.Body.Crash,
	}, backups.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return CreateBackup202JSONResponse{s.accepted(ctx, job)}, nil
}

// EditBackup changes what is written down about a backup.
func (s *Server) EditBackup(ctx context.Context, r EditBackupRequestObject) (EditBackupResponseObject, error) {
	b, err := s.Backups.Edit(ctx, r.Id, backups.EditRequest{Pinned: r.Body.Pinned, Note: r.Body.Note})
	if err != nil {
		return nil, err
	}
	return EditBackup200JSONResponse(backupOut(b)), nil
}

// DeleteBackup deletes a backup.
func (s *Server) DeleteBackup(ctx context.Context, r DeleteBackupRequestObject) (DeleteBackupResponseObject, error) {
	job, err := s.Backups.Delete(ctx, r.Id, r.Params.Force, backups.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return DeleteBackup202JSONResponse{s.accepted(ctx, job)}, nil
}

// RestoreBackup makes a tenant of a backup, or brings its own back to it.
func (s *Server) RestoreBackup(ctx context.Context, r RestoreBackupRequestObject) (RestoreBackupResponseObject, error) {
	b := r.Body
	if b.Into == "" && (len(b.Domains) > 0 || b.Plan != "" || b.Member != "" || b.Mail) {
		return nil, fleet.Errorf(fleet.Invalid, "domains, plan, member and mail are those of a new tenant, and none is named").WithField("into").
			WithHint("name a new tenant, or leave the others out")
	}
	job, err := s.Backups.Restore(ctx, r.Id, backups.RestoreRequest{
		Into: b.Into, Domains: b.Domains, Plan: b.Plan, Member: b.Member, Mail: b.Mail,
	}, backups.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return RestoreBackup202JSONResponse{s.accepted(ctx, job)}, nil
}

// VerifyBackups looks for damage.
func (s *Server) VerifyBackups(ctx context.Context, r VerifyBackupsRequestObject) (VerifyBackupsResponseObject, error) {
	tenant, err := optionalTenant(r.Body.Tenant)
	if err != nil {
		return nil, err
	}
	job, err := s.Backups.Verify(ctx, backups.VerifyRequest{
		Backup: r.Body.Backup, Tenant: tenant, Deep: r.Body.Deep,
	}, backups.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return VerifyBackups202JSONResponse{s.accepted(ctx, job)}, nil
}

// DiffBackup tells which files have changed.
func (s *Server) DiffBackup(ctx context.Context, r DiffBackupRequestObject) (DiffBackupResponseObject, error) {
	changes, err := s.Backups.Diff(ctx, r.Id, backups.DiffTo{Backup: r.Params.To, Snapshot: r.Params.Snapshot})
	if err != nil {
		return nil, err
	}
	return DiffBackup200JSONResponse(changesOut(changes)), nil
}

// ListBackupFiles lists a folder of a backup.
func (s *Server) ListBackupFiles(ctx context.Context, r ListBackupFilesRequestObject) (ListBackupFilesResponseObject, error) {
	files, err := s.Backups.Files(ctx, r.Id, folder(r.Params.Path))
	if err != nil {
		return nil, err
	}
	return ListBackupFiles200JSONResponse(filesOut(files)), nil
}

// GetBackupFile sends a file of a backup.
func (s *Server) GetBackupFile(ctx context.Context, r GetBackupFileRequestObject) (GetBackupFileResponseObject, error) {
	return s.download(ctx, func(ctx context.Context) (io.ReadCloser, fleet.FileInfo, error) {
		return s.Backups.ReadFile(ctx, r.Id, r.Params.Path)
	}), nil
}

func backupOut(b fleet.Backup) Backup {
	out := Backup{
		Id: b.ID, Tenant: b.Tenant.String(), TenantId: b.TenantID, Policy: b.Policy, Note: b.Note, Pinned: b.Pinned,
		TakenAt: b.TakenAt, DoneAt: b.DoneAt, Size: int64(b.Size), Moved: int64(b.Moved), Files: b.Files,
		Consistency: Consistency(b.Consistency), Why: b.Why, Held: heldOut(b.Held), Job: b.JobID, Damage: b.Damage,
	}
	if b.Image != (fleet.ImageRef{}) {
		out.Image = b.Image.String()
	}
	if b.VerifiedAt != nil {
		out.VerifiedAt = *b.VerifiedAt
	}
	return out
}
