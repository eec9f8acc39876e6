package fleet

import "time"

// Backup is a tenant's state at one moment, kept in the backup repository, off the pool.
type Backup struct {
	ID       string `json:"id"` // the repository's own
	Tenant   Name   `json:"tenant"`
	TenantID string `json:"tenant_id"`
	Policy   string `json:"policy,omitempty"`
	Note     string `json:"note,omitempty"`
	Pinned   bool   `json:"pinned"`
	// TakenAt is the moment whose state it holds; DoneAt when all of it was in the repository.
	TakenAt time.Time `json:"taken_at"`
	DoneAt  time.Time `json:"done_at"`
	Size    Size      `json:"size"`  // of the files in it, in bytes
	Moved   Size      `json:"moved"` // written to the repository for it, compressed
	Files   int64     `json:"files"`
	// As in Snapshot.
	Consistency Consistency   `json:"consistency"`
	Why         string        `json:"why,omitempty"`
	Held        time.Duration `json:"held_ns"`
	Image       ImageRef      `json:"image"`
	JobID       string        `json:"job_id,omitempty"`
	// VerifiedAt is when all of it was last read and found whole; nil: never.
	VerifiedAt *time.Time `json:"verified_at,omitempty"`
	// Damage says what a verification found wrong; empty: nothing.
	Damage string `json:"damage,omitempty"`
}

// Drill is the record of a restore that was tried out: a backup counts only when it has been
// restored.
type Drill struct {
	ID       string    `json:"id"`
	BackupID string    `json:"backup_id"`
	Tenant   Name      `json:"tenant"`
	At       time.Time `json:"at"`
	Passed   bool      `json:"passed"`
	Error    string    `json:"error,omitempty"`
	// RPO is the age of the backup at the drill: what would have been lost.
	RPO time.Duration `json:"rpo_ns"`
	// RTO is the time from the request to an instance that passed its health check.
	RTO    time.Duration `json:"rto_ns"`
	Bytes  Size          `json:"bytes"`
	Checks []string      `json:"checks"` // what was looked at, with its outcome
	JobID  string        `json:"job_id,omitempty"`
}

// BackupFilter narrows a list of backups; zero fields do not. Lists are newest first.
type BackupFilter struct {
	Tenant      Name
	TenantID    string
	Damaged     bool
	JobID       string
	Policy      string
	Consistency Consistency
	Pinned      *bool
	From        time.Time // taken then or later
	To          time.Time // taken before then
	OldestFirst bool
	Before      *Backup // only those after it in the list (paging): its TakenAt and ID count
	Limit       int     // 0: all
}

// Keeps reports whether the filter leaves a backup, but for paging.
func (f BackupFilter) Keeps(b Backup) bool {
	return (f.Tenant == "" || f.Tenant == b.Tenant) && (f.TenantID == "" || f.TenantID == b.TenantID) &&
		(!f.Damaged || b.Damage != "") && (f.JobID == "" || f.JobID == b.JobID) && (f.Policy == "" || f.Policy == b.Policy) &&
		(f.Consistency == "" || f.Consistency == b.Consistency) && (f.Pinned == nil || *f.Pinned == b.Pinned) &&
		(f.From.IsZero() || !b.TakenAt.Before(f.From)) && (f.To.IsZero() || b.TakenAt.Before(f.To))
}

// DrillFilter narrows a list of drills; zero fields do not. Lists are newest first.
type DrillFilter struct {
	Tenant Name
	Backup string // id of the backup
	Failed bool
	Before string // only drills with an id smaller than this (paging)
	Limit  int    // 0: all
}
