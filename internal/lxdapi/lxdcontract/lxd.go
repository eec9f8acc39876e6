package lxdcontract

import (
	"context"
	"io"
	"net/netip"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// LXD is every method of lxdapi.Client and lxdfake.LXD; their comments are its contract.
type LXD interface {
	Server(ctx context.Context) (fleet.Server, error)
	Members(ctx context.Context) ([]fleet.Member, error)
	Pools(ctx context.Context) ([]fleet.Pool, error)
	EnsurePoolConfig(ctx context.Context, pool string, set map[string]string) (changed bool, err error)
	Networks(ctx context.Context) ([]fleet.Network, error)
	EnsureProject(ctx context.Context, spec fleet.ProjectSpec) (change string, err error)
	DeleteProject(ctx context.Context) error
	EnsureProfile(ctx context.Context, spec fleet.ProfileSpec) (change string, err error)
	Profiles(ctx context.Context) ([]fleet.ProfileSpec, error)
	Instances(ctx context.Context, withAddresses bool) ([]fleet.Instance, error)
	Instance(ctx context.Context, name string) (fleet.Instance, error)
	Addresses(ctx context.Context, name string) ([]string, error)
	Backends(ctx context.Context, name string, port int) ([]fleet.Backend, error)
	MemberAddresses(ctx context.Context) (map[string]string, error)
	EnsureDevice(ctx context.Context, instance, device string, config map[string]string) error
	Forwards(ctx context.Context, network string) ([]fleet.Forward, error)
	Leases(ctx context.Context, network string) ([]fleet.Lease, error)
	Subnets(ctx context.Context, network, member string) ([]netip.Prefix, error)
	EnsureForward(ctx context.Context, network, member, listen string, edit func([]fleet.ForwardPort) []fleet.ForwardPort) error
	EnsureClone(ctx context.Context, spec fleet.CloneSpec, progress func(fleet.Progress)) error
	EnsureCopy(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error
	EnsureRefreshed(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error
	Snapshots(ctx context.Context, instance string) ([]fleet.InstanceSnapshot, error)
	AllSnapshots(ctx context.Context) (map[string][]fleet.InstanceSnapshot, error)
	EnsureSnapshot(ctx context.Context, instance, snapshot string) error
	EnsureSnapshotDeleted(ctx context.Context, instance, snapshot string) error
	EnsureRestored(ctx context.Context, instance, snapshot string) error
	PoolDriver(ctx context.Context) (string, error)
	Use(ctx context.Context, instance string) (fleet.InstanceUse, error)
	DiskUsed(ctx context.Context, instance string) (fleet.Size, error)
	Files(ctx context.Context, instance, folder string) ([]fleet.FileInfo, error)
	SetConfig(ctx context.Context, name string, set map[string]string) error
	SetProfiles(ctx context.Context, name string, profiles []string) error
	EnsureStarted(ctx context.Context, name string) error
	EnsureStopped(ctx context.Context, name string, timeout time.Duration) (forced bool, err error)
	EnsureDeleted(ctx context.Context, name string) error
	EnsureRenamed(ctx context.Context, from, to string) error
	Exec(ctx context.Context, name string, spec fleet.ExecSpec) (exit int, err error)
	PushFile(ctx context.Context, name string, file fleet.File) error
	ReadFile(ctx context.Context, name, path string) (io.ReadCloser, error)
	ConsoleLog(ctx context.Context, name string) ([]byte, error)
	Images(ctx context.Context) ([]fleet.Image, error)
	Image(ctx context.Context, aliasOrFingerprint string) (fleet.Image, error)
	ReadImage(ctx context.Context, fingerprint string) (content io.ReadCloser, size int64, err error)
	EnsureImported(ctx context.Context, r io.Reader, properties map[string]string, progress func(fleet.Progress)) (fingerprint string, err error)
	EnsureRemoteImage(ctx context.Context, server, protocol, alias string, progress func(fleet.Progress)) (fingerprint string, err error)
	EnsurePublished(ctx context.Context, instance string, properties map[string]string, progress func(fleet.Progress)) (fingerprint string, err error)
	EnsureAlias(ctx context.Context, alias, fingerprint string) error
	EnsureAliasDeleted(ctx context.Context, alias string) error
	EnsureImageDeleted(ctx context.Context, fingerprint string) error
	EnsureUnpacked(ctx context.Context, fingerprint, member string) error
	Events(ctx context.Context) <-chan fleet.LXDEvent
	Close()
}
