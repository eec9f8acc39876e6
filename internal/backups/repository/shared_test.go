package repository

import (
	"archive/tar"
	"bytes"
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Deriving a key takes half a second, and many with the race detector: most tests share a
// repository, each with backups of its own.
var shared = sync.OnceValues(func() (*Repository, error) {
	dir, err := os.MkdirTemp("", "repository-test-*")
	if err != nil {
		return nil, err
	}
	return Init(context.Background(), folderOptions(dir), Lock{})
})

func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "25") // unless the command line says otherwise
	code := m.Run()
	if r, err := shared(); err == nil {
		_ = os.RemoveAll(filepath.Dir(r.options.CacheDir))
	}
	os.Exit(code)
}

const passphrase = "correct horse"

func folderOptions(dir string) Options {
	return Options{
		Location: "file://" + filepath.Join(dir, "backups"), Passphrase: passphrase, CacheDir: filepath.Join(dir, "cache"),
	}
}

func sharedRepository(t *testing.T) *Repository {
	t.Helper()
	r, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var someTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func meta(t *testing.T) Meta { return Meta{Tenant: filepath.Base(t.Name()), TakenAt: someTime} }

// random gives bytes that cannot be compressed and depend on the seed alone.
func random(seed uint64, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b)
	return b
}

// entries is a tar stream to be made.
type entries []struct {
	tar.Header
	content []byte
}

func archive(t testing.TB, all entries) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range all {
		h := e.Header
		h.Size = int64(len(e.content))
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if h.ModTime.IsZero() {
			h.ModTime = someTime
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func mustWrite(t testing.TB, r *Repository, m Meta, stream []byte) Stored {
	t.Helper()
	s, err := r.Write(t.Context(), m, bytes.NewReader(stream), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustRead(t testing.TB, r *Repository, id string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.Read(t.Context(), id, &b, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
