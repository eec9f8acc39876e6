package link

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/certs/storagetest"
)

func TestStorage(t *testing.T) {
	const lease = 2 * time.Second
	storagetest.Run(t, storagetest.Maker{
		Open: func(t *testing.T) (certmagic.Storage, certmagic.Storage) {
			dir := t.TempDir()
			c := startController(t, newRecords(), "", func(h *HubConfig) {
				h.Storage, h.LockLease = &certmagic.FileStorage{Path: dir}, lease
			})
			open := func(name string) *Storage {
				s := c.join(name).Storage(t.TempDir(), new(heard).logger())
				s.lease = lease
				return s
			}
			return open("one"), open("two")
		},
		Abandon: func(t *testing.T, s certmagic.Storage, name string) {
			st := s.(*Storage)
			ok(t, st.Lock(t.Context(), name))
			st.mu.Lock()
			defer st.mu.Unlock()
			st.held[name].stop() // no sign of life any more, as of a process that was killed
			delete(st.held, name)
		},
		Expires: 2*lease + time.Second,
	})
}

func TestStorageWithoutTheController(t *testing.T) {
	c := startController(t, newRecords(), "", fileStorage(t.TempDir()))
	client := c.join("edge")
	dir := t.TempDir()
	var log heard
	s := client.Storage(dir, log.logger())
	ok(t, s.Store(t.Context(), "certificates/a/a.key", []byte("key")))
	ok(t, c.cfg.Storage.Store(t.Context(), "certificates/b/b.key", []byte("another's")))
	got, err := s.Load(t.Context(), "certificates/b/b.key")
	ok(t, err)
	c.stop()

	for key, want := range map[string]string{"certificates/a/a.key": "key", "certificates/b/b.key": string(got)} {
		if value, err := s.Load(t.Context(), key); err != nil || string(value) != want {
			t.Errorf("%s: %q, %v", key, value, err)
		}
		if !s.Exists(t.Context(), key) {
			t.Errorf("%s does not exist", key)
		}
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(key)))
		ok(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("the copy of %s has mode %v", key, info.Mode())
		}
	}
	if keys, err := s.List(t.Context(), "certificates", false); err != nil || len(keys) != 2 {
		t.Errorf("%q, %v", keys, err)
	}
	if _, err := s.Load(t.Context(), "nothing"); errors.Is(err, fs.ErrNotExist) || fleet.CodeOf(err) != fleet.Unavailable {
		t.Errorf("what is not on disk may well exist: %v", err)
	}
	if err := s.Store(t.Context(), "c", []byte("new")); fleet.CodeOf(err) != fleet.Unavailable {
		t.Errorf("a write that nobody else can see: %v", err)
	}
	if err := s.Lock(t.Context(), "c"); fleet.CodeOf(err) != fleet.Unavailable {
		t.Errorf("a lock that nobody else can see: %v", err)
	}
	began := time.Now()
	for range 200 {
		_, _ = s.Load(t.Context(), "certificates/a/a.key")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("200 reads took %v: each has asked the controller", took)
	}
}

// What was removed at the controller is removed from the disk of the proxies too.
func TestStorageForgetsWhatIsGone(t *testing.T) {
	c := startController(t, newRecords(), "", fileStorage(t.TempDir()))
	s := c.join("edge").Storage(t.TempDir(), new(heard).logger())
	ok(t, s.Store(t.Context(), "a/b", []byte("x")))
	ok(t, c.cfg.Storage.Delete(t.Context(), "a/b"))
	if _, err := s.Load(t.Context(), "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if s.cache.Exists(t.Context(), "a/b") {
		t.Error("it is still on disk")
	}
}

func TestKeysLeadNowhereElse(t *testing.T) {
	dir := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("s"), 0o600))
	c := startController(t, newRecords(), "", fileStorage(filepath.Join(dir, "certificates")))
	s := c.join("edge").Storage(t.TempDir(), new(heard).logger())
	for _, key := range []string{"../secret", "a/../../secret", "/etc/passwd", ".", "a//b", "a/./b"} {
		for what, err := range map[string]error{
			"load":  second(s.Load(t.Context(), key)),
			"store": s.Store(t.Context(), key, []byte("x")), "delete": s.Delete(t.Context(), key),
			"stat": second(s.Stat(t.Context(), key)), "list": second(s.List(t.Context(), key, true)), "lock": s.Lock(t.Context(), key),
		} {
			if fleet.CodeOf(err) != fleet.Invalid {
				t.Errorf("%s of %q: %v", what, key, err)
			}
		}
	}
	none := startController(t, newRecords(), "", nil)
	if _, err := none.join("edge").Storage(t.TempDir(), new(heard).logger()).Load(t.Context(), "a"); fleet.CodeOf(err) != fleet.Unsupported {
		t.Errorf("a controller without certificates: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestSettings(t *testing.T) {
	c := startController(t, newRecords(), "", func(h *HubConfig) { h.Settings = []byte(`{"a":1}`) })
	client := c.join("edge")
	got, err := client.Settings(t.Context())
	ok(t, err)
	if strings.TrimSpace(string(got)) != `{"a":1}` {
		t.Errorf("%s", got)
	}
}
