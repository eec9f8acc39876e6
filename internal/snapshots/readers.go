package snapshots

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Readers are stopped copies of snapshots whose files are read. One is kept for a while after it
// was last asked for, so that who looks around does not wait each time.
type Readers struct {
	LXD LXD
	// Keep is how long a reader is kept after its last use. Default 2 min.
	Keep time.Duration
	// Logger gets what could not be deleted. Default: nothing is logged.
	Logger *slog.Logger

	mu   sync.Mutex
	used map[string]*reader // by name of the copy
}

type reader struct {
	making sync.Mutex // one makes it, the others wait
	users  int
	last   time.Time
}

// readerRule starts the names of readers.
const readerRule = fleet.ReservedPrefix + "files-"

// open gives the name of a copy of the snapshot (of the instance as it is now, where snapshot is
// empty: then by what makes it another, token) and a function to call when it was read.
func (r *Readers) open(ctx context.Context, instance, snapshot, token string) (name string, done func(), err error) {
	sum := sha256.Sum256([]byte(instance + "/" + snapshot + "/" + token))
	name = readerRule + hex.EncodeToString(sum[:12])
	one := r.enter(name)
	leave := func() { r.leave(one) }
	one.making.Lock()
	defer one.making.Unlock()
	err = r.LXD.EnsureCopy(ctx, fleet.CopySpec{
		Source: instance, Snapshot: snapshot, Name: name,
		Config: map[string]string{fleet.KeyRole: fleet.RoleReader, fleet.KeyJob: name},
	}, func(fleet.Progress) {})
	if err != nil {
		leave()
		return "", nil, fmt.Errorf("copy snapshot %s of %s to read it: %w", snapshot, instance, err)
	}
	return name, leave, nil
}

func (r *Readers) enter(name string) *reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.used == nil {
		r.used = map[string]*reader{}
	}
	one := r.used[name]
	if one == nil {
		one = &reader{}
		r.used[name] = one
	}
	one.users++
	one.last = time.Now()
	return one
}

func (r *Readers) leave(one *reader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one.users--
	one.last = time.Now()
}

func (r *Readers) keep() time.Duration {
	if r.Keep > 0 {
		return r.Keep
	}
	return 2 * time.Minute
}

// Run deletes readers that are not used any more, until ctx ends, and then all that are left.
func (r *Readers) Run(ctx context.Context) {
	ticker := time.NewTicker(max(r.keep()/4, time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			r.sweep(last, 0)
			return
		case <-ticker.C:
			r.sweep(ctx, r.keep())
		}
	}
}

// sweep deletes those that nobody has used for so long. What a process leaves behind that is
// killed goes with the sweep of tenants.
func (r *Readers) sweep(ctx context.Context, age time.Duration) {
	r.mu.Lock()
	var idle []string
	for name, one := range r.used {
		if one.users == 0 && time.Since(one.last) >= age {
			idle = append(idle, name)
			delete(r.used, name)
		}
	}
	r.mu.Unlock()
	slices.Sort(idle)
	for _, name := range idle {
		if err := r.LXD.EnsureDeleted(ctx, name); err != nil && r.Logger != nil {
			r.Logger.Warn("a copy of a snapshot cannot be deleted; it is swept later", "instance", name, "error", err)
		}
	}
}

// Files lists a folder of a snapshot. Errors: fleet.NotFound, fleet.Invalid with field "path"
// where it is no folder or not absolute.
func (s *Service) Files(ctx context.Context, name fleet.Name, snapshot, folder string) ([]fleet.FileInfo, error) {
	copied, done, folder, err := s.reader(ctx, name, snapshot, folder)
	if err != nil {
		return nil, err
	}
	defer done()
	files, err := s.LXD.Files(ctx, copied, folder)
	if fleet.CodeOf(err) == fleet.NotFound {
		return nil, noPath(name, snapshot, folder)
	}
	if err != nil {
		return nil, fmt.Errorf("list %s in snapshot %s of %s: %w", folder, snapshot, name, err)
	}
	return files, nil
}

// ReadFile opens a file of a snapshot. It is to be closed. Errors as those of Files.
func (s *Service) ReadFile(ctx context.Context, name fleet.Name, snapshot, file string) (io.ReadCloser, fleet.FileInfo, error) {
	copied, done, file, err := s.reader(ctx, name, snapshot, file)
	if err != nil {
		return nil, fleet.FileInfo{}, err
	}
	fail := func(err error) (io.ReadCloser, fleet.FileInfo, error) {
		done()
		return nil, fleet.FileInfo{}, fmt.Errorf("read %s in snapshot %s of %s: %w", file, snapshot, name, err)
	}
	siblings, err := s.LXD.Files(ctx, copied, path.Dir(file))
	if fleet.CodeOf(err) == fleet.NotFound {
		err = noPath(name, snapshot, file)
	}
	if err != nil {
		return fail(err)
	}
	i := slices.IndexFunc(siblings, func(f fleet.FileInfo) bool { return f.Path == file })
	if i < 0 {
		return fail(noPath(name, snapshot, file))
	}
	if siblings[i].Type == fleet.FileFolder || siblings[i].Type == fleet.FileOther {
		return fail(fleet.Errorf(fleet.Invalid, "%s is no file", file).WithField("path").
			WithHint("see what there is: lxdfleet snapshot files %s %s %s", name, snapshot, path.Dir(file)))
	}
	content, err := s.LXD.ReadFile(ctx, copied, file)
	if err != nil {
		return fail(err)
	}
	return &lent{content, sync.OnceFunc(done)}, siblings[i], nil
}

// lent is a file of a reader.
type lent struct {
	io.ReadCloser
	done func()
}

// Close implements io.Closer.
func (l *lent) Close() error {
	defer l.done()
	return l.ReadCloser.Close()
}

func (s *Service) reader(ctx context.Context, name fleet.Name, snapshot, file string) (copied string, done func(), clean string, err error) {
	if file == "" {
		file = "/"
	}
	if !path.IsAbs(file) || strings.ContainsRune(file, 0) {
		return "", nil, "", fleet.Errorf(fleet.Invalid, "%q is not an absolute path", file).WithField("path").
			WithHint("begin it with a slash, such as /etc/hosts")
	}
	t, n, err := s.find(ctx, name, snapshot)
	if err != nil {
		return "", nil, "", err
	}
	copied, done, err = s.Readers.open(ctx, holder(t, n), snapshot, n.CreatedAt.String())
	return copied, done, path.Clean(file), err
}

func noPath(name fleet.Name, snapshot, file string) error {
	return fleet.Errorf(fleet.NotFound, "snapshot %s of %s has no %s", snapshot, name, file).WithField("path").
		WithHint("see what there is: lxdfleet snapshot files %s %s %s", name, snapshot, path.Dir(file))
}
