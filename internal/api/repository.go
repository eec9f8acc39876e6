package api

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/backups"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// GetBackupStatus tells how the repository is.
func (s *Server) GetBackupStatus(ctx context.Context, _ GetBackupStatusRequestObject) (GetBackupStatusResponseObject, error) {
	st, err := s.Backups.Status(ctx)
	if err != nil {
		return nil, err
	}
	out := BackupStatus{
		Location: st.Location, Away: st.Away, State: BackupStatusState(st.State), Problem: st.Problem, Hint: st.Hint,
		KeyFile: st.KeyFile, KeyId: st.KeyID, KeyRecorded: st.KeyRecorded,
		Backups: st.Backups, Damaged: st.Damaged, Size: int64(st.Size), Stored: int64(st.Stored),
	}
	if st.LastBackup != nil {
		out.LastBackup = *st.LastBackup
	}
	if st.LastControl != nil {
		out.LastControl = *st.LastControl
	}
	if st.LastDrill != nil {
		last := drillOut(*st.LastDrill)
		out.LastDrill = &last
	}
	return GetBackupStatus200JSONResponse(out), nil
}

// InitBackups makes the repository.
func (s *Server) InitBackups(ctx context.Context, _ InitBackupsRequestObject) (InitBackupsResponseObject, error) {
	key, err := s.Backups.Init(ctx)
	if err != nil {
		return nil, err
	}
	return InitBackups201JSONResponse(keyOut(key)), nil
}

// RotateBackupKey replaces the recovery key.
func (s *Server) RotateBackupKey(ctx context.Context, _ RotateBackupKeyRequestObject) (RotateBackupKeyResponseObject, error) {
	key, err := s.Backups.Rotate(ctx)
	if err != nil {
		return nil, err
	}
	return RotateBackupKey200JSONResponse(keyOut(key)), nil
}

// ConfirmBackupKey notes that there is a copy of the recovery key.
func (s *Server) ConfirmBackupKey(ctx context.Context, r ConfirmBackupKeyRequestObject) (ConfirmBackupKeyResponseObject, error) {
	if err := s.Backups.Recorded(ctx, r.Body.Key); err != nil {
		return nil, err
	}
	return ConfirmBackupKey204Response{}, nil
}

// BackupControl backs the control plane up.
func (s *Server) BackupControl(ctx context.Context, _ BackupControlRequestObject) (BackupControlResponseObject, error) {
	job, err := s.Backups.SaveControl(ctx, backups.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return BackupControl202JSONResponse{s.accepted(ctx, job)}, nil
}

// PruneBackups frees what no backup needs any more.
func (s *Server) PruneBackups(ctx context.Context, _ PruneBackupsRequestObject) (PruneBackupsResponseObject, error) {
	job, err := s.Backups.Prune(ctx, backups.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return PruneBackups202JSONResponse{s.accepted(ctx, job)}, nil
}

// RecoverBackups brings the fleet back.
func (s *Server) RecoverBackups(ctx context.Context, r RecoverBackupsRequestObject) (RecoverBackupsResponseObject, error) {
	req := backups.RecoverRequest{From: r.Body.From, Key: r.Body.Key, DryRun: r.Body.DryRun}
	for _, name := range r.Body.Tenants {
		n, err := fleet.ParseName(name)
		if err != nil {
			return nil, fleet.Errorf(fleet.Invalid, "%q is not a tenant name", name).WithField("tenants").WithHint("leave it out to see which there are")
		}
		req.Tenants = append(req.Tenants, n)
	}
	found, err := s.Backups.Recover(ctx, req)
	if err != nil {
		return nil, err
	}
	out := BackupRecovery{
		SavedAt: found.SavedAt, Plans: orEmpty(found.Plans), Policies: orEmpty(found.Policies), Backups: found.Backups,
		Images: make([]RecoveredImage, len(found.Images)), Tenants: make([]RecoveredTenant, len(found.Tenants)),
	}
	for i, x := range found.Images {
		out.Images[i] = RecoveredImage{Image: x.Image.String(), Recipe: x.Recipe, Saved: x.Saved, Job: x.JobID, Reason: x.Reason}
	}
	for i, t := range found.Tenants {
		out.Tenants[i] = RecoveredTenant{
			Tenant: t.Tenant.String(), Outcome: RecoveredTenantOutcome(t.Outcome), Backup: t.Backup.ID, TakenAt: t.Backup.TakenAt,
			Job: t.JobID, Reason: t.Reason,
		}
	}
	return RecoverBackups200JSONResponse(out), nil
}

func keyOut(k backups.Key) BackupKey { return BackupKey{Key: k.Recovery, File: k.File, Id: k.ID} }
