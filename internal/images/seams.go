package images

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// LXD is what images need of LXD, in lxdfleet's own project. Every verb may be repeated.
type LXD interface {
	Members(ctx context.Context) ([]fleet.Member, error)
	Addresses(ctx context.Context, name string) ([]string, error)
	// Backends gives where the port of a running instance is reached, and makes what leads there; none
	// while it has no address yet.
	Backends(ctx context.Context, name string, port int) ([]fleet.Backend, error)
	EnsureClone(ctx context.Context, spec fleet.CloneSpec, progress func(fleet.Progress)) error
	EnsureStarted(ctx context.Context, name string) error
	EnsureStopped(ctx context.Context, name string, timeout time.Duration) (forced bool, err error)
	EnsureDeleted(ctx context.Context, name string) error
	Exec(ctx context.Context, name string, spec fleet.ExecSpec) (exit int, err error)
	PushFile(ctx context.Context, name string, file fleet.File) error
	ConsoleLog(ctx context.Context, name string) ([]byte, error)
	Images(ctx context.Context) ([]fleet.Image, error)
	Image(ctx context.Context, aliasOrFingerprint string) (fleet.Image, error)
	EnsureImported(ctx context.Context, r io.Reader, properties map[string]string, progress func(fleet.Progress)) (fingerprint string, err error)
	EnsureRemoteImage(ctx context.Context, server, protocol, alias string, progress func(fleet.Progress)) (fingerprint string, err error)
	EnsurePublished(ctx context.Context, instance string, properties map[string]string, progress func(fleet.Progress)) (fingerprint string, err error)
	EnsureAlias(ctx context.Context, alias, fingerprint string) error
	EnsureAliasDeleted(ctx context.Context, alias string) error
	EnsureImageDeleted(ctx context.Context, fingerprint string) error
	EnsureUnpacked(ctx context.Context, fingerprint, member string) error
}

// Store is what images need of the store.
type Store interface {
	InsertImage(ctx context.Context, image fleet.GoldenImage) error
	GoldenImage(ctx context.Context, ref fleet.ImageRef) (fleet.GoldenImage, error)
	GoldenImages(ctx context.Context) ([]fleet.GoldenImage, error)
	SetCurrentImage(ctx context.Context, ref fleet.ImageRef) error
	DeleteImage(ctx context.Context, ref fleet.ImageRef) error
	SetUnpacked(ctx context.Context, fingerprint, member string, unpacked bool) error
	SaveRecipe(ctx context.Context, hash string, bundle []byte) error
	Recipe(ctx context.Context, hash string) ([]byte, error)
	Tenants(ctx context.Context, filter fleet.TenantFilter) ([]fleet.Tenant, error)
}

// Jobs takes jobs in and tells of them.
type Jobs interface {
	Submit(ctx context.Context, request jobs.Request) (fleet.Job, error)
	// ByKey finds the job an earlier request with this idempotency key made; fleet.NotFound.
	ByKey(ctx context.Context, key, hash string) (fleet.Job, error)
	List(ctx context.Context, filter jobs.JobFilter) ([]fleet.Job, error)
}

// BaseMaker makes base images on the daemon's host.
type BaseMaker interface {
	// Make writes a unified LXD image of the system to a file below dir and gives its path. What
	// it prints goes to output.
	Make(ctx context.Context, spec Debootstrap, dir string, output io.Writer) (tarball string, err error)
}

// Deps are the things images work with.
type Deps struct {
	LXD   LXD
	Store Store
	// Bases makes debootstrap bases; nil: HostBases{}.
	Bases BaseMaker
	// Sources is what recipes may name outside of their bundle.
	Sources Sources
	// WorkDir is a folder on the daemon's host for base images that are being made.
	WorkDir string
	// HTTP asks instances for their health; nil: a client that follows no redirect.
	HTTP *http.Client
	// Now tells the time; nil: time.Now.
	Now func() time.Time
	// Changed is called with an image's name after its versions changed; nil: nobody is told.
	Changed func(name string)
	Log     *slog.Logger // nil: dropped
}

// withDefaults fills what was left out.
func (d Deps) withDefaults() Deps {
	if d.Bases == nil {
		d.Bases = HostBases{}
	}
	if d.HTTP == nil {
		d.HTTP = &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport:     &http.Transport{DisableKeepAlives: true},
		}
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Changed == nil {
		d.Changed = func(string) {}
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return d
}

// Subject names an image's jobs: one at a time for each name.
func Subject(name string) string { return "image/" + name }
