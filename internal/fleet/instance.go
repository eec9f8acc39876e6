package fleet

import (
	"io"
	"time"
)

// InstanceStatus is LXD's word for the state of an instance.
type InstanceStatus string

const (
	InstanceRunning InstanceStatus = "Running"
	InstanceStopped InstanceStatus = "Stopped"
	InstanceFrozen  InstanceStatus = "Frozen"
	// InstanceError: its member does not answer.
	InstanceError InstanceStatus = "Error"
)

// Instance is a system container as LXD has it.
type Instance struct {
	Name      string
	Status    InstanceStatus
	Location  string                       // the member it is on; "none" on a stand-alone server
	Config    map[string]string            // its own configuration keys, without the profiles' keys
	Devices   map[string]map[string]string // its own, without the profiles'
	Profiles  []string
	Addresses []string // global IP addresses, IPv4 first; filled only where state was asked for
	Backend   Backend  // where its application is reached, filled only where state was asked for and it is not at its Addresses
	Image     string   // volatile.base_image: the fingerprint it was cloned from
	CreatedAt time.Time
}

// InstanceUse is what an instance uses of its member, in bytes; 0 where LXD does not tell.
type InstanceUse struct {
	Disk   Size // of the pool, as the driver counts it: btrfs without quotas does not
	Memory Size // 0 while it is stopped
	// CPU is the processor time it has used since it was started, added up over all processors.
	CPU       time.Duration
	Processes int
}

// DiskCount says what LXD counts of an instance's disk.
type DiskCount string

const (
	DiskOwn      DiskCount = "own"      // what it alone keeps: what it shares with its image is beside it
	DiskAll      DiskCount = "all"      // with what it shares
	DiskUnshared DiskCount = "unshared" // all, and it shares nothing
	DiskUnknown  DiskCount = "unknown"
)

// CloneSpec says which instance to make from which image.
type CloneSpec struct {
	Name        string
	Fingerprint string // of the image
	Member      string // empty: LXD chooses
	Profiles    []string
	Config      map[string]string // must contain KeyJob, so that a repeat knows its own
	// Devices are its own, in place of those of the same name in the profiles: {"type": "none"}
	// takes one away.
	Devices map[string]map[string]string
}

// ExecSpec is a command to run in an instance, as root, without a shell.
type ExecSpec struct {
	Command []string
	Env     map[string]string
	Stdin   io.Reader // nil: empty
	Stdout  io.Writer // nil: dropped
	Stderr  io.Writer
	// TTY gives the command a terminal (Stdout carries both streams then) of Width × Height.
	TTY           bool
	Width, Height int
	// Resize changes the terminal's size, as {width, height}, until it is closed.
	Resize <-chan [2]int
}

// File is a file to put into an instance.
type File struct {
	Path     string // absolute
	Content  io.ReadSeeker
	Mode     uint32
	UID, GID int64
	Dir      bool // make a folder; Content is not used
}

// FileType says what a file is.
type FileType string

// Types of files.
const (
	FileRegular FileType = "file"
	FileFolder  FileType = "folder"
	FileSymlink FileType = "symlink"
	FileOther   FileType = "other" // a device, socket or pipe
)

// FileInfo tells about one file or folder of an instance.
type FileInfo struct {
	Path string   `json:"path"` // absolute, in the instance
	Type FileType `json:"type"`
	Mode uint32   `json:"mode"` // permission bits with setuid, setgid and sticky, as chmod has them
	UID  int64    `json:"uid"`  // as seen in the instance
	GID  int64    `json:"gid"`
	Size Size     `json:"size"`
	// ModTime is to the second where only tar could tell it.
	ModTime time.Time `json:"mod_time"`
	Target  string    `json:"target,omitempty"` // of a symlink
	// Sum is one of what is in a regular file, where that is known; else 0. It compares with sums
	// that were made in the same way only.
	Sum uint64 `json:"-"`
}

// Keys of an instance's configuration that lxdfleet sets. The control plane's tenants can
// be rebuilt from them.
const (
	KeyPrefix  = "user.lxdfleet."
	KeyTenant  = KeyPrefix + "tenant"  // the tenant's ID
	KeyName    = KeyPrefix + "name"    // the tenant's name when last written
	KeyImage   = KeyPrefix + "image"   // NAME/VERSION
	KeyPlan    = KeyPrefix + "plan"    // plan
	KeyDomains = KeyPrefix + "domains" // domains, separated by spaces
	KeyState   = KeyPrefix + "state"   // desired state
	KeySpec    = KeyPrefix + "spec"    // the rest of the tenant, JSON
	KeyJob     = KeyPrefix + "job"     // the job that made the instance
	KeyRole    = KeyPrefix + "role"    // one of the roles below
	KeyReady   = KeyPrefix + "ready"   // "true" once the tenant's creation passed its commit point
	KeyHistory = KeyPrefix + "history" // with RoleHistory, the id of the tenant whose it was
)

// Keys of an instance of RoleKept.
const (
	KeyKept  = KeyPrefix + "kept"  // the id of the tenant whose it was
	KeyUntil = KeyPrefix + "until" // when it is deleted, RFC 3339
	// Of instances of RoleMove and RoleLeft.
	KeyMoveOf  = KeyPrefix + "move-of"  // the id of the tenant
	KeyMovedBy = KeyPrefix + "moved-by" // the job that moved it away
)

// Roles an instance can have under KeyRole.
const (
	RoleTenant  = "tenant"
	RoleBuilder = "builder"
	RoleCheck   = "check"
	RoleUnpack  = "unpack"
	RoleReader  = "reader"  // a copy of a snapshot whose files are read
	RoleDrill   = "drill"   // a restored backup that is tried out
	RoleRestore = "restore" // becomes a tenant's instance when the restore is done
	RoleKept    = "kept"    // was a tenant's instance before a restore from a backup
	RoleMove    = "move"    // the copy of a tenant that is being moved, under KeyJob
	RoleLeft    = "left"    // was a tenant's instance before a move, and never starts again
	RoleHistory = "history" // was a tenant's instance before a restore, and has its older snapshots
)
