package backups

import (
	"context"
	"io"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Repository is where backups are kept. Errors are fleet errors: Unavailable where the server
// does not answer, Exhausted where it is full, Forbidden where it refuses us.
type Repository interface {
	// Write stores a tar stream. Nothing of it is listed unless all of it is there.
	Write(ctx context.Context, meta Meta, tar io.Reader, progress func(fleet.Progress)) (Stored, error)
	// Read writes the stream again. Contents are verified; damage is a *Damage.
	Read(ctx context.Context, id string, w io.Writer, progress func(fleet.Progress)) error
	// List gives all there is of a kind, newest first.
	List(ctx context.Context, kind string) ([]Stored, error)
	// Delete drops one. A missing one is success. What only it needed goes with a Prune.
	Delete(ctx context.Context, id string) error
	// Verify reads what backups need, their contents too with deep, and gives what is wrong with
	// each that is damaged, by its id.
	Verify(ctx context.Context, ids []string, deep bool, progress func(fleet.Progress)) (map[string][]string, error)
	// Prune frees what no backup needs any more.
	Prune(ctx context.Context, progress func(fleet.Progress)) error
	// Rotate has the repository ask for another key from now on.
	Rotate(ctx context.Context, key string) error
	// Size is how many bytes the repository takes.
	Size(ctx context.Context) (fleet.Size, error)
	// Listing tells about every file of one, by path, without reading contents. Sums compare with
	// those of this repository.
	Listing(ctx context.Context, id string) ([]fleet.FileInfo, error)
	Files(ctx context.Context, id, path string) ([]fleet.FileInfo, error)
	File(ctx context.Context, id, path string) (io.ReadCloser, fleet.FileInfo, error)
	Close(ctx context.Context) error
}

// Kinds of what a repository holds.
const (
	KindTenant  = "tenant"  // a tenant's root file system
	KindControl = "control" // what the control plane knows
	KindImage   = "image"   // a golden image that cannot be built again
)

// Meta goes with a stream into the repository.
type Meta struct {
	Kind    string
	Tenant  string
	TakenAt time.Time
	Labels  map[string]string
}

// Stored is a stream that is in the repository.
type Stored struct {
	ID     string
	Meta   Meta
	DoneAt time.Time
	Size   fleet.Size // of the files in it
	Moved  fleet.Size // written to the repository for it
	Files  int64
}

// Damage is the error of a read that found the repository damaged.
type Damage struct{ What string }

func (d *Damage) Error() string { return d.What }

// Opener makes and opens the repository at a location.
type Opener interface {
	// Init makes one. fleet.Taken where there is one, or somebody else's objects are.
	Init(ctx context.Context, location, key string) error
	// Open opens one: fleet.NotFound where there is none, fleet.Forbidden where the key does not
	// open it.
	Open(ctx context.Context, location, key string) (Repository, error)
}
