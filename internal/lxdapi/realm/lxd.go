package realm

import (
	"context"
	"io"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// LXD is one cluster; see lxdapi.Client.
type LXD interface {
	Server(ctx context.Context) (fleet.Server, error)
	Members(ctx context.Context) ([]fleet.Member, error)
	Profiles(ctx context.Context) ([]fleet.ProfileSpec, error)
	EnsureProfile(ctx context.Context, spec fleet.ProfileSpec) (change string, err error)
	PoolDriver(ctx context.Context) (string, error)
	Events(ctx context.Context) <-chan fleet.LXDEvent
	Close()
	images
	instances
}

type images interface {
	Images(ctx context.Context) ([]fleet.Image, error)
	Image(ctx context.Context, aliasOrFingerprint string) (fleet.Image, error)
	ReadImage(ctx context.Context, fingerprint string) (content io.ReadCloser, size int64, err error)
	EnsureImported(ctx context.Context, r io.Reader, properties map[string]string, progress func(fleet.Progress)) (fingerprint string, err error)
	EnsureImageDeleted(ctx context.Context, fingerprint string) error
}

type instances interface {
	Instances(ctx context.Context, withAddresses bool) ([]fleet.Instance, error)
	Instance(ctx context.Context, name string) (fleet.Instance, error)
	Addresses(ctx context.Context, name string) ([]string, error)
	Backends(ctx context.Context, name string, port int) ([]fleet.Backend, error)
	Use(ctx context.Context, name string) (fleet.InstanceUse, error)
	DiskUsed(ctx context.Context, name string) (fleet.Size, error)
	EnsureClone(ctx context.Context, spec fleet.CloneSpec, progress func(fleet.Progress)) error
	Copier
	EnsureDevice(ctx context.Context, instance, device string, config map[string]string) error
	SetConfig(ctx context.Context, name string, set map[string]string) error
	SetProfiles(ctx context.Context, name string, profiles []string) error
	EnsureStarted(ctx context.Context, name string) error
	EnsureStopped(ctx context.Context, name string, timeout time.Duration) (forced bool, err error)
	EnsureDeleted(ctx context.Context, name string) error
	EnsureRenamed(ctx context.Context, from, to string) error
	Snapshots(ctx context.Context, instance string) ([]fleet.InstanceSnapshot, error)
	AllSnapshots(ctx context.Context) (map[string][]fleet.InstanceSnapshot, error)
	EnsureSnapshot(ctx context.Context, instance, snapshot string) error
	EnsureSnapshotDeleted(ctx context.Context, instance, snapshot string) error
	EnsureRestored(ctx context.Context, instance, snapshot string) error
	Exec(ctx context.Context, name string, spec fleet.ExecSpec) (exit int, err error)
	ConsoleLog(ctx context.Context, name string) ([]byte, error)
	PushFile(ctx context.Context, name string, file fleet.File) error
	Files(ctx context.Context, name, folder string) ([]fleet.FileInfo, error)
	ReadFile(ctx context.Context, name, path string) (io.ReadCloser, error)
}

// Copier makes copies of instances; see lxdapi.Link.
type Copier interface {
	EnsureCopy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error
	EnsureRefreshed(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error
}

// Clusters knows the other clusters.
type Clusters interface {
	Names(ctx context.Context) ([]string, error)
	// Dial gives the connection to one, which is made by its first call, and kept.
	Dial(ctx context.Context, cluster string) (LXD, error)
}
