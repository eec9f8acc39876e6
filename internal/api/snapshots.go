package api

import (
	"cmp"
	"context"
	"slices"
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
	keeps, compare, err := snapshotFilter(r.Params)
	if err != nil {
		return nil, err
	}
	found, err := s.Snapshots.List(ctx, name)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(x fleet.Snapshot) bool { return !keeps(x) })
	slices.SortStableFunc(found, compare)
	list := SnapshotList{Items: make([]Snapshot, len(found))}
	for i, x := range found {
		list.Items[i] = snapshotOut(x)
	}
	return ListSnapshots200JSONResponse(list), nil
}

// snapshotFilter reads which of a tenant's snapshots are asked for, and in which order.
func snapshotFilter(p ListSnapshotsParams) (keeps func(fleet.Snapshot) bool, compare func(a, b fleet.Snapshot) int, err error) {
	sorted, err := orderOf(string(p.Sort), "created", "created", "name", "size")
	if err != nil {
		return nil, nil, err
	}
	if err := cmp.Or(oneOf("origin", p.Origin...), oneOf("consistency", p.Consistency)); err != nil {
		return nil, nil, err
	}
	origins := wordsOf[fleet.SnapshotOrigin](p.Origin)
	keeps = func(x fleet.Snapshot) bool {
		return (len(origins) == 0 || slices.Contains(origins, x.Origin)) && (p.Policy == "" || p.Policy == x.Policy) &&
			(p.Consistency == "" || string(p.Consistency) == string(x.Consistency)) && (p.Pinned == nil || *p.Pinned == x.Pinned) &&
			(p.From.IsZero() || !x.CreatedAt.Before(p.From)) && (p.To.IsZero() || x.CreatedAt.Before(p.To))
	}
	by := map[string]func(a, b fleet.Snapshot) int{
		"created": func(a, b fleet.Snapshot) int { return a.CreatedAt.Compare(b.CreatedAt) },
		"name":    func(a, b fleet.Snapshot) int { return cmp.Compare(a.Name, b.Name) },
		"size":    func(a, b fleet.Snapshot) int { return cmp.Compare(a.Size, b.Size) },
	}[sorted.by]
	if sorted.down {
		return keeps, func(a, b fleet.Snapshot) int { return by(b, a) }, nil
	}
	return keeps, by, nil
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
	return DiffSnapshot200JSONResponse(changesOut(changes)), nil
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
