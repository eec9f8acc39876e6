package api

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/snapshots"
)

// ListSnapshots lists a tenant's snapshots.
func (s *Server) ListSnapshots(ctx context.Context, r ListSnapshotsRequestObject) (ListSnapshotsResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	found, err := s.Snapshots.List(ctx, name)
	if err != nil {
		return nil, err
	}
	list := SnapshotList{Items: make([]Snapshot, len(found))}
	for i, x := range found {
		list.Items[i] = snapshotOut(x)
	}
	return ListSnapshots200JSONResponse(list), nil
}

// GetSnapshot gives one snapshot.
func (s *Server) GetSnapshot(ctx context.Context, r GetSnapshotRequestObject) (GetSnapshotResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	x, err := s.Snapshots.Snapshot(ctx, name, r.Snapshot)
	if err != nil {
		return nil, err
	}
	return GetSnapshot200JSONResponse(snapshotOut(x)), nil
}

// CreateSnapshot snapshots a tenant.
func (s *Server) CreateSnapshot(ctx context.Context, r CreateSnapshotRequestObject) (CreateSnapshotResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	job, err := s.Snapshots.Create(ctx, name, snapshots.CreateRequest{
		Name: r.Body.Name, Note: r.Body.Note, Pinned: r.Body.Pinned, Crash: r.Body.Crash,
	}, snapshots.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return CreateSnapshot202JSONResponse{s.accepted(ctx, job)}, nil
}

// EditSnapshot changes what is written down about a snapshot.
func (s *Server) EditSnapshot(ctx context.Context, r EditSnapshotRequestObject) (EditSnapshotResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	x, err := s.Snapshots.Edit(ctx, name, r.Snapshot, snapshots.EditRequest{Pinned: r.Body.Pinned, Note: r.Body.Note})
	if err != nil {
		return nil, err
	}
	return EditSnapshot200JSONResponse(snapshotOut(x)), nil
}

// DeleteSnapshot deletes a snapshot.
func (s *Server) DeleteSnapshot(ctx context.Context, r DeleteSnapshotRequestObject) (DeleteSnapshotResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	job, err := s.Snapshots.Delete(ctx, name, r.Snapshot, r.Params.Force, snapshots.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return DeleteSnapshot202JSONResponse{s.accepted(ctx, job)}, nil
}

// RestoreSnapshot brings a tenant back to a snapshot.
func (s *Server) RestoreSnapshot(ctx context.Context, r RestoreSnapshotRequestObject) (RestoreSnapshotResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	job, err := s.Snapshots.Restore(ctx, name, r.Snapshot, snapshots.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return RestoreSnapshot202JSONResponse{s.accepted(ctx, job)}, nil
}

// CloneSnapshot makes a tenant of a snapshot.
func (s *Server) CloneSnapshot(ctx context.Context, r CloneSnapshotRequestObject) (CloneSnapshotResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	job, err := s.Snapshots.Clone(ctx, name, r.Snapshot, snapshots.CloneRequest{
		Name: r.Body.Name, Domains: r.Body.Domains, Plan: r.Body.Plan, Member: r.Body.Member, Mail: r.Body.Mail,
	}, snapshots.Once(onceOf(ctx)))
	if err != nil {
		return nil, err
	}
	return CloneSnapshot202JSONResponse{s.accepted(ctx, job)}, nil
}

// DiffSnapshot tells which files have changed.
func (s *Server) DiffSnapshot(ctx context.Context, r DiffSnapshotRequestObject) (DiffSnapshotResponseObject, error) {
	name, err := fleet.ParseName(r.Name)
	if err != nil {
		return nil, err
	}
	changes, err := s.Snapshots.Diff(ctx, name, r.Snapshot, r.Params.To)
	if err != nil {
		return nil, err
	}
	list := FileChangeList{Items: make([]FileChange, len(changes))}
	for i, c := range changes {
		list.Items[i] = FileChange{Path: c.Path, Change: FileChangeChange(c.Change), Before: fileOut(c.Before), After: fileOut(c.After)}
	}
	return DiffSnapshot200JSONResponse(list), nil
}

func snapshotOut(x fleet.Snapshot) Snapshot {
	return Snapshot{
		Tenant: x.Tenant.String(), Name: x.Name, Origin: SnapshotOrigin(x.Origin), Policy: x.Policy, Note: x.Note, Pinned: x.Pinned,
		CreatedAt: x.CreatedAt, Size: int64(x.Size), Consistency: Consistency(x.Consistency), Why: x.Why, Held: heldOut(x.Held), Job: x.JobID,
	}
}

// heldOut writes how long writes were blocked; empty where they were not.
func heldOut(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return max(d.Round(time.Millisecond), time.Millisecond).String()
}
