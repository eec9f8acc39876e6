package backups

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/listing"
)

// server is a repository in memory, with what can go wrong with one.
type server struct {
	mu      sync.Mutex
	key     string // empty: there is no repository
	entries []entry
	down    bool              // it does not answer
	full    bool              // it takes nothing more
	cut     int               // bytes after which a read or write breaks off; 0: never
	damaged map[string]string // what is wrong, by id
	pruned  int
	rotated func() error // called before a rotation takes effect
	now     func() time.Time
	made    int
	reads   int
}

type entry struct {
	Stored
	data []byte
}

func newServer() *server { return &server{damaged: map[string]string{}, now: time.Now} }

func (v *server) answer() error {
	if v.down {
		return fleet.Errorf(fleet.Unavailable, "the S3 server does not answer").WithHint("start it")
	}
	return nil
}

// Init implements Opener.
func (v *server) Init(_ context.Context, _, key string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.answer(); err != nil {
		return err
	}
	if v.key != "" {
		return fleet.Errorf(fleet.Taken, "there is a repository already").WithHint("use another location")
	}
	v.key = key
	return nil
}

// Open implements Opener.
func (v *server) Open(_ context.Context, _, key string) (Repository, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.answer(); err != nil {
		return nil, err
	}
	switch v.key {
	case "":
		return nil, fleet.Errorf(fleet.NotFound, "there is no repository").WithHint("make one")
	case key:
		return &session{v}, nil
	}
	return nil, fleet.Errorf(fleet.Forbidden, "the passphrase is wrong").WithHint("use the right one")
}

func (v *server) ids(kind string) (ids []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, e := range v.entries {
		if e.Meta.Kind == kind {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

type session struct{ v *server }

func (s *session) Write(_ context.Context, meta Meta, tar io.Reader, progress func(fleet.Progress)) (Stored, error) {
	if err := s.ready(); err != nil {
		return Stored{}, err
	}
	data, err := io.ReadAll(tar)
	if err != nil {
		return Stored{}, err
	}
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	switch {
	case s.v.cut > 0 && len(data) > s.v.cut:
		return Stored{}, fleet.Errorf(fleet.Unavailable, "the connection to the S3 server was cut").WithHint("it is tried again")
	case s.v.full && meta.Kind == KindTenant:
		return Stored{}, fleet.Errorf(fleet.Exhausted, "the bucket is full").WithHint("make room")
	}
	if progress != nil {
		progress(fleet.Progress{Bytes: int64(len(data))})
	}
	s.v.made++
	sum := sha256.Sum256(fmt.Appendf(data[:len(data):len(data)], "%d", s.v.made))
	stored := Stored{
		ID: hex.EncodeToString(sum[:16]), Meta: meta, DoneAt: s.v.now(), Size: fleet.Size(len(data)), Moved: fleet.Size(len(data) / 10), Files: 3,
	}
	s.v.entries = append([]entry{{stored, data}}, s.v.entries...)
	return stored, nil
}

func (s *session) ready() error {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	return s.v.answer()
}

func (s *session) get(id string) (entry, error) {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	if err := s.v.answer(); err != nil {
		return entry{}, err
	}
	for _, e := range s.v.entries {
		if e.ID == id {
			return e, nil
		}
	}
	return entry{}, fleet.Errorf(fleet.NotFound, "there is no backup %s in the repository", id).WithHint("choose another")
}

func (s *session) Read(_ context.Context, id string, w io.Writer, progress func(fleet.Progress)) error {
	e, err := s.get(id)
	if err != nil {
		return err
	}
	s.v.mu.Lock()
	s.v.reads++
	damage := s.v.damaged[id]
	s.v.mu.Unlock()
	data := e.data
	if damage != "" {
		data = data[:len(data)/2]
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	if damage != "" {
		return fmt.Errorf("read: %w", &Damage{What: damage})
	}
	if progress != nil {
		progress(fleet.Progress{Bytes: int64(len(data))})
	}
	return nil
}

func (s *session) List(_ context.Context, kind string) ([]Stored, error) {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	if err := s.v.answer(); err != nil {
		return nil, err
	}
	var list []Stored
	for _, e := range s.v.entries {
		if e.Meta.Kind == kind {
			list = append(list, e.Stored)
		}
	}
	return list, nil
}

func (s *session) Delete(_ context.Context, id string) error {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	if err := s.v.answer(); err != nil {
		return err
	}
	s.v.entries = slices.DeleteFunc(s.v.entries, func(e entry) bool { return e.ID == id })
	return nil
}

func (s *session) Verify(_ context.Context, ids []string, _ bool, progress func(fleet.Progress)) (map[string][]string, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	progress(fleet.Progress{Message: "reading"})
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	wrong := map[string][]string{}
	for _, id := range ids {
		if what := s.v.damaged[id]; what != "" {
			wrong[id] = []string{what}
		}
	}
	return wrong, nil
}

func (s *session) Prune(context.Context, func(fleet.Progress)) error {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	s.v.pruned++
	return s.v.answer()
}

func (s *session) Rotate(_ context.Context, key string) error {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	if s.v.rotated != nil {
		if err := s.v.rotated(); err != nil {
			return err
		}
	}
	s.v.key = key
	return nil
}

func (s *session) Size(context.Context) (fleet.Size, error) { return 4711, s.ready() }

func (s *session) Files(_ context.Context, id, path string) ([]fleet.FileInfo, error) {
	_, err := s.get(id)
	return []fleet.FileInfo{{Path: path, Type: fleet.FileFolder}}, err
}

func (s *session) File(_ context.Context, id, path string) (io.ReadCloser, fleet.FileInfo, error) {
	e, err := s.get(id)
	if err != nil {
		return nil, fleet.FileInfo{}, err
	}
	s.v.mu.Lock()
	s.v.reads++
	s.v.mu.Unlock()
	archive := tar.NewReader(bytes.NewReader(e.data))
	for {
		h, err := archive.Next()
		if err != nil {
			return nil, fleet.FileInfo{}, fleet.Errorf(fleet.NotFound, "there is no %s", path)
		}
		if h.Name == "."+path {
			return io.NopCloser(archive), fleet.FileInfo{Path: path, Type: fleet.FileRegular}, nil
		}
	}
}

// Listing gives sums of another kind than listing.Sum.
func (s *session) Listing(_ context.Context, id string) ([]fleet.FileInfo, error) {
	e, err := s.get(id)
	if err != nil {
		return nil, err
	}
	s.v.mu.Lock()
	damage := s.v.damaged[id]
	s.v.mu.Unlock()
	if damage != "" {
		return nil, fmt.Errorf("list: %w", &Damage{What: damage})
	}
	var list []fleet.FileInfo
	err = listing.Tar(bytes.NewReader(e.data), func(content io.Reader) (uint64, error) {
		sum, err := listing.Sum(content)
		return sum + 1, err
	}, func(f fleet.FileInfo) { list = append(list, f) })
	slices.SortFunc(list, func(a, b fleet.FileInfo) int { return strings.Compare(a.Path, b.Path) })
	return list, err
}

func (s *session) Close(context.Context) error { return nil }
