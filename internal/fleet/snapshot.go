package fleet

import "time"

// Consistency says what a snapshot or a backup is worth after a restore.
type Consistency string

const (
	// ConsistentApplication: the application was held still while it was taken.
	ConsistentApplication Consistency = "application"
	// ConsistentCrash: what a power cut at that moment would have left.
	ConsistentCrash Consistency = "crash"
)

// SnapshotOrigin says who made a snapshot.
type SnapshotOrigin string

const (
	OriginManual SnapshotOrigin = "manual" // somebody asked lxdfleet for it
	OriginPolicy SnapshotOrigin = "policy"
	OriginSafety SnapshotOrigin = "safety" // before a restore
	OriginBackup SnapshotOrigin = "backup" // for as long as a backup takes
	OriginLXC    SnapshotOrigin = "lxc"    // made beside lxdfleet
)

// Snapshot is a tenant's state at one moment, kept in the pool it lives in. LXD decides which
// there are; what else is said of one is lxdfleet's record, empty for OriginLXC.
type Snapshot struct {
	Tenant    Name           `json:"tenant"`
	Name      string         `json:"name"`
	Origin    SnapshotOrigin `json:"origin"`
	Policy    string         `json:"policy,omitempty"` // with OriginPolicy
	Note      string         `json:"note,omitempty"`
	Pinned    bool           `json:"pinned"` // survives retention and unforced deletes
	CreatedAt time.Time      `json:"created_at"`
	// Size is what the snapshot alone holds on to, in bytes; 0 where the driver does not tell.
	Size        Size        `json:"size"`
	Consistency Consistency `json:"consistency"`
	// Why tells, of a crash-consistent one, why it is not application-consistent.
	Why string `json:"why,omitempty"`
	// Held is how long the application's writes were blocked.
	Held time.Duration `json:"held_ns"`
	// JobID is the job that made it.
	JobID string `json:"job_id,omitempty"`
	// Instance has it; empty: the tenant's own. A restore on ZFS leaves snapshots with the
	// instance that the tenant had before.
	Instance string `json:"instance,omitempty"`
}

// InstanceSnapshot is a snapshot as LXD has it.
type InstanceSnapshot struct {
	Name      string
	CreatedAt time.Time
	Size      Size // 0 where the driver does not tell
	Config    map[string]string
}

// CopySpec says which instance to make of an instance, or of one of its snapshots.
type CopySpec struct {
	Source   string
	Snapshot string // empty: the instance as it is
	Name     string
	// Member the copy is made on; empty: the source's own, where the copy shares its blocks.
	Member   string
	Profiles []string // nil: the source's
	// Config replaces the source's configuration keys, but for volatile ones LXD makes anew. It
	// must contain KeyJob, so that a repeat knows its own.
	Config map[string]string
	// Devices are added to the source's own, in place of those of the same name, the profiles'
	// too: {"type": "none"} takes one away.
	Devices map[string]map[string]string
	// Bare: the copy has no profiles and no devices but the source's root disk, so no limits and
	// no network; on the source's member it has the source's user ids, so that LXD need not give
	// all of its files to others. For an instance that lives shortly.
	Bare bool
	// KeepIDs: the copy has the source's user ids also on another member, so that LXD need not
	// give all of its files to others at its start. The caller has seen to it that nobody else
	// there has them (volatile.idmap.base).
	KeepIDs bool
	// BytesPerSecond bounds what a copy to another member or server takes of the network: all of
	// it goes through lxdfleet then. 0: no bound.
	BytesPerSecond Size
	// Snapshots are copied along. Only without Snapshot.
	Snapshots bool
}

// FileChange is a file that is not the same in two snapshots.
type FileChange struct {
	Path   string    `json:"path"`
	Change string    `json:"change"` // added, removed or changed
	Before *FileInfo `json:"before,omitempty"`
	After  *FileInfo `json:"after,omitempty"`
}

// Ways in which a file can differ.
const (
	FileAdded   = "added"
	FileRemoved = "removed"
	FileChanged = "changed"
)
