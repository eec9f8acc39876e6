package backups

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// createState is the state of backup.create.
type createState struct {
	Tenant   fleet.Name `json:"tenant"`
	TenantID string     `json:"tenant_id"`
	Policy   string     `json:"policy,omitempty"`
	Note     string     `json:"note,omitempty"`
	Pinned   bool       `json:"pinned,omitempty"`
	Crash    bool       `json:"crash,omitempty"`
	// Kept is what goes with the files, from the moment of the snapshot.
	Kept Keepsake `json:"kept,omitzero"`
	// Backup is the record, once all of it is in the repository.
	Backup fleet.Backup `json:"backup,omitzero"`
}

// create backs a tenant up. The snapshot lives only as long as the job.
func (c *crew) create() jobs.Kind[createState] {
	return jobs.Kind[createState]{
		Name:    KindCreate,
		Version: 1,
		Steps: []jobs.Step[createState]{
			// Undo: the snapshot goes.
			{Name: "snapshot", Do: c.takeSnapshot, Undo: c.dropSnapshot},
			// Undo: the copy that was read goes, and the entry if there is one. What was written
			// goes with the next prune.
			{Name: "upload", Do: c.upload, Undo: c.dropUpload},
			{Name: "record", Do: c.record},
			{Name: "cleanup", Do: c.tidy},
		},
		Commit: "record",
	}
}

func (c *crew) takeSnapshot(ctx context.Context, run *jobs.Run, s *createState) error {
	if _, err := c.Vault.Open(ctx); err != nil {
		return err
	}
	t, err := c.Store.TenantByID(ctx, s.TenantID)
	if err != nil {
		return c.lost(s, err)
	}
	inst, err := c.LXD.Instance(ctx, t.Name.String())
	if err != nil {
		return c.lost(s, err)
	}
	if inst.Config[fleet.KeyTenant] != t.ID {
		return fleet.Errorf(fleet.Conflict, "the instance %s is not that of tenant %s", inst.Name, t.Name).
			WithHint("see lxdfleet tenant show %s", t.Name)
	}
	snapshot, err := c.Snapshots.Take(ctx, run, t, snapshotName(run.JobID), s.Crash)
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", t.Name, err)
	}
	s.Tenant, s.Kept = t.Name, keepsakeOf(t, inst)
	s.Kept.Record = fleet.Backup{
		Tenant: t.Name, TenantID: t.ID, Policy: s.Policy, Note: s.Note, Pinned: s.Pinned, TakenAt: snapshot.CreatedAt,
		Consistency: snapshot.Consistency, Why: snapshot.Why, Held: snapshot.Held, Image: t.Image, JobID: run.JobID,
	}
	return nil
}

// lost says of a tenant that is not there that it was deleted.
func (c *crew) lost(s *createState, err error) error {
	if fleet.CodeOf(err) == fleet.NotFound {
		return fleet.Errorf(fleet.NotFound, "tenant %s was deleted before its backup was taken", s.Tenant).
			WithHint("there is nothing to back up any more; see lxdfleet tenant list")
	}
	return err
}

func (c *crew) dropSnapshot(ctx context.Context, run *jobs.Run, s *createState) error {
	if err := c.Snapshots.Drop(ctx, run, s.TenantID, s.Tenant, snapshotName(run.JobID)); err != nil {
		return fmt.Errorf("delete the backup's snapshot of %s: %w", s.Tenant, err)
	}
	return nil
}

func (c *crew) upload(ctx context.Context, run *jobs.Run, s *createState) error {
	repo, err := c.Vault.Open(ctx)
	if err != nil {
		return err
	}
	entry, err := find(ctx, repo, KindTenant, func(e Stored) bool { return e.Meta.Labels[jobLabel] == run.JobID })
	if err != nil {
		return err
	}
	if entry == nil {
		// So that what is restored one day has its place: a tenant is never in the repository
		// without the control plane that knows it.
		if _, err := c.saveControl(ctx, ""); err != nil && ctx.Err() == nil {
			say(run, "The control plane could not be saved before the backup: %v", err)
		}
		if entry, err = c.stream(ctx, run, repo, s); err != nil {
			return err
		}
	}
	s.Backup = recordOf(*entry, s.Kept)
	return nil
}

// stream reads the snapshot into the repository.
func (c *crew) stream(ctx context.Context, run *jobs.Run, repo Repository, s *createState) (*Stored, error) {
	label, err := s.Kept.label()
	if err != nil {
		return nil, err
	}
	run.Progress(fleet.Progress{Message: "opening the snapshot"})
	reader, err := c.Readers.Open(ctx, s.Tenant.String(), snapshotName(run.JobID), readerName(run.JobID), run.JobID)
	if fleet.CodeOf(err) == fleet.NotFound {
		return nil, fleet.Errorf(fleet.NotFound, "the snapshot of %s was deleted before it was read", s.Tenant).
			WithHint("somebody deleted it, or the tenant, by hand; make the backup again")
	}
	if err != nil {
		return nil, fmt.Errorf("open the snapshot of %s: %w", s.Tenant, err)
	}
	if lacks := reader.Lacks(); lacks != "" {
		say(run, "Not all of %s can be backed up: %s", s.Tenant, lacks)
	}
	meta := Meta{
		Kind: KindTenant, Tenant: s.Tenant.String(), TakenAt: s.Kept.Record.TakenAt,
		Labels: map[string]string{keepsakeLabel: label, jobLabel: run.JobID},
	}
	entry, err := pump(ctx, reader.Tar, func(ctx context.Context, r io.Reader) (Stored, error) {
		return repo.Write(ctx, meta, r, c.paced(ctx, run, s))
	})
	if err != nil {
		return nil, fmt.Errorf("back up %s: %w", s.Tenant, err)
	}
	if err := reader.Close(ctx); err != nil {
		return nil, fmt.Errorf("close the snapshot of %s: %w", s.Tenant, err)
	}
	return &entry, nil
}

// paced adds to progress the part done, by the size of the tenant's last backup.
func (c *crew) paced(ctx context.Context, run *jobs.Run, s *createState) func(fleet.Progress) {
	last, err := c.Store.Backups(ctx, fleet.BackupFilter{TenantID: s.TenantID, Limit: 1})
	if err != nil || len(last) == 0 || last[0].Size == 0 {
		return run.Progress
	}
	return func(p fleet.Progress) {
		if p.Percent == 0 {
			p.Percent = int(min(99, 100*p.Bytes/int64(last[0].Size)))
		}
		run.Progress(p)
	}
}

// pump has one end write what the other reads. The error is that of the end which failed first.
func pump[T any](ctx context.Context, write func(context.Context, io.Writer) error, read func(context.Context, io.Reader) (T, error)) (T, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(ctx, w)
		written <- err            // before the reader hears of it
		_ = w.CloseWithError(err) // nil is the end of the stream
	}()
	got, err := read(ctx, r)
	if err == nil {
		_, err = io.Copy(io.Discard, r) // a writer that has more to say is let finish
	}
	if err == nil {
		return got, <-written
	}
	select {
	case wrote := <-written:
		return got, cmp.Or(wrote, err)
	default: // the reader failed by itself
		_ = r.CloseWithError(err)
		cancel()
		<-written //nolint:errcheck // the writer ends because the reader has
		return got, err
	}
}

func (c *crew) dropUpload(ctx context.Context, run *jobs.Run, _ *createState) error {
	if err := c.deleteOwn(ctx, run, readerName(run.JobID)); err != nil {
		return err
	}
	return c.dropEntries(ctx, run, KindTenant)
}

// dropEntries deletes what this job put into the repository. A repository that cannot be reached
// does not hold the job up: an entry that is there is whole, and the next prune records it.
func (c *crew) dropEntries(ctx context.Context, run *jobs.Run, kind string) error {
	repo, err := c.Vault.Open(ctx)
	var list []Stored
	if err == nil {
		list, err = repo.List(ctx, kind)
	}
	if err != nil && ctx.Err() == nil {
		say(run, "The repository cannot be asked whether it has anything of this job: %v", err)
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Meta.Labels[jobLabel] != run.JobID {
			continue
		}
		if err := repo.Delete(ctx, e.ID); err != nil {
			return fmt.Errorf("take the backup out of the repository: %w", err)
		}
	}
	return nil
}

func (c *crew) record(ctx context.Context, run *jobs.Run, s *createState) error {
	if err := c.Store.SaveBackup(ctx, s.Backup); err != nil {
		return fmt.Errorf("record the backup of %s: %w", s.Tenant, err)
	}
	say(run, "Backup %s of %s: %s in %d files, %s written", short(s.Backup.ID), s.Tenant, human(s.Backup.Size), s.Backup.Files, human(s.Backup.Moved))
	c.tell("backup.created", ofEntry(s.Backup.ID), s.Backup)
	return nil
}

func (c *crew) tidy(ctx context.Context, run *jobs.Run, s *createState) error {
	if err := c.deleteOwn(ctx, run, readerName(run.JobID)); err != nil {
		return err
	}
	return c.dropSnapshot(ctx, run, s)
}

// human writes a size for people.
func human(s fleet.Size) string {
	switch {
	case s >= fleet.GiB:
		return fmt.Sprintf("%.1f GiB", float64(s)/float64(fleet.GiB))
	case s >= fleet.MiB:
		return fmt.Sprintf("%.1f MiB", float64(s)/float64(fleet.MiB))
	case s >= fleet.KiB:
		return fmt.Sprintf("%.1f KiB", float64(s)/float64(fleet.KiB))
	}
	return fmt.Sprintf("%d B", int64(s))
}
