package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// Maker makes what is tested.
type Maker struct {
	// Open gives the storages of two proxies, which are one and empty.
	Open func(t *testing.T) (one, two certmagic.Storage)
	// Abandon leaves the named lock as a proxy does that was killed while it held it, in a
	// storage made by Open.
	Abandon func(t *testing.T, s certmagic.Storage, name string)
	// Rough: of several who wait for an abandoned lock more than one may get it, as certmagic
	// says of files. (Nothing breaks then but that a certificate may be obtained twice.)
	Rough bool
	// Expires is how long an abandoned lock may be in the way, at most.
	Expires time.Duration
}

// Run runs all tests.
func Run(t *testing.T, m Maker) {
	for name, test := range map[string]func(*testing.T){
		"values": m.values, "missing": m.missing, "list": m.list, "delete": m.delete, "stat": m.stat,
		"odd keys": m.oddKeys, "concurrent writes": m.concurrent, "lock excludes": m.lockExcludes,
		"lock waits": m.lockWaits, "lock obeys its context": m.lockContext, "lock abandoned": m.abandoned,
		"lock kept alive": m.kept, "unlock after the end of the context": m.unlockLate, "locks are no values": m.lockedValues,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, s certmagic.Storage, keys ...string) {
	t.Helper()
	for _, k := range keys {
		ok(t, s.Store(t.Context(), k, []byte("value of "+k)))
	}
}

func (m Maker) values(t *testing.T) {
	one, two := m.Open(t)
	large := bytes.Repeat([]byte{0, 1, 0xff, '\'', '\\'}, 40_000)
	for key, value := range map[string][]byte{
		"a": []byte("x"), "certificates/ca/www.acme.example/www.acme.example.crt": []byte("-----BEGIN\n"),
		"empty": {}, "large": large, "deep/a/b/c/d/e/f": []byte("y"),
	} {
		for range 2 { // the second writes over the first
			ok(t, one.Store(t.Context(), key, []byte("before")))
			ok(t, one.Store(t.Context(), key, value))
		}
		got, err := two.Load(t.Context(), key)
		if err != nil || !bytes.Equal(got, value) {
			t.Errorf("%s: %d bytes came back for %d, %v", key, len(got), len(value), err)
		}
		if !two.Exists(t.Context(), key) {
			t.Errorf("%s does not exist", key)
		}
	}
}

func (m Maker) missing(t *testing.T) {
	s, _ := m.Open(t)
	put(t, s, "a/b")
	for _, key := range []string{"x", "a/b/c", "a/x", "aa", "a/bb", "A/b"} {
		_, err := s.Load(t.Context(), key)
		if !errors.Is(err, fs.ErrNotExist) {
			// Files call a value that is taken for a folder by another name.
			if key != "a/b/c" || err == nil {
				t.Errorf("load of %s: %v", key, err)
			}
		}
		if _, err := s.Stat(t.Context(), key); err == nil || key != "a/b/c" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat of %s: %v", key, err)
		}
		if key != "a/b/c" && s.Exists(t.Context(), key) {
			t.Errorf("%s exists", key)
		}
		if err := s.Delete(t.Context(), key); key != "a/b/c" && err != nil {
			t.Errorf("delete of %s: %v", key, err)
		}
	}
	if _, err := s.List(t.Context(), "x", false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("list of nothing: %v", err)
	}
	if !s.Exists(t.Context(), "a") || !s.Exists(t.Context(), "a/b") {
		t.Error("what was there is gone")
	}
}

// terminal leaves out the folders, which files list too.
func terminal(t *testing.T, s certmagic.Storage, keys []string) []string {
	t.Helper()
	var out []string
	for _, k := range keys {
		info, err := s.Stat(t.Context(), k)
		ok(t, err)
		if info.IsTerminal {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

func (m Maker) list(t *testing.T) {
	s, other := m.Open(t)
	put(t, other, "c/x/x.crt", "c/x/x.key", "c/y/y.crt", "c/top", "cc/z", "d")
	for _, tc := range []struct {
		path      string
		recursive bool
		want      string
	}{
		{"c", false, "c/top c/x c/y"},
		{"c/x", false, "c/x/x.crt c/x/x.key"},
		{"c", true, "c/top c/x/x.crt c/x/x.key c/y/y.crt"},
		{"c/x", true, "c/x/x.crt c/x/x.key"},
	} {
		got, err := s.List(t.Context(), tc.path, tc.recursive)
		ok(t, err)
		if tc.recursive {
			got = terminal(t, s, got)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != tc.want {
			t.Errorf("list of %s, recursive %v: %v", tc.path, tc.recursive, got)
		}
	}
	var many []string
	for i := range 1100 { // more than one page of S3
		many = append(many, fmt.Sprintf("many/%04d", i))
	}
	var wg sync.WaitGroup
	for part := range slices.Chunk(many, 138) {
		wg.Go(func() {
			for _, k := range part {
				if err := s.Store(t.Context(), k, []byte{1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := s.List(t.Context(), "many", false)
	ok(t, err)
	if slices.Sort(got); !slices.Equal(got, many) {
		t.Errorf("%d keys listed of %d", len(got), len(many))
	}
}

func (m Maker) delete(t *testing.T) {
	one, two := m.Open(t)
	put(t, one, "c/x/1", "c/x/2", "c/xx", "c/y", "c/x.crt")
	ok(t, two.Delete(t.Context(), "c/x"))
	ok(t, two.Delete(t.Context(), "c/y"))
	got, err := one.List(t.Context(), "c", true)
	ok(t, err)
	if left := strings.Join(terminal(t, one, got), " "); left != "c/x.crt c/xx" {
		t.Errorf("left: %s", left)
	}
	if _, err := one.Load(t.Context(), "c/y"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted, and %v", err)
	}
}

func (m Maker) stat(t *testing.T) {
	s, _ := m.Open(t)
	before := time.Now().Add(-5 * time.Second)
	ok(t, s.Store(t.Context(), "a/b", make([]byte, 1234)))
	info, err := s.Stat(t.Context(), "a/b")
	ok(t, err)
	if info.Key != "a/b" || info.Size != 1234 || !info.IsTerminal || info.Modified.Before(before) || time.Until(info.Modified) > 5*time.Second {
		t.Errorf("%+v", info)
	}
	if info, err = s.Stat(t.Context(), "a"); err != nil || info.IsTerminal || info.Key != "a" {
		t.Errorf("folder: %+v, %v", info, err)
	}
}

func (m Maker) oddKeys(t *testing.T) {
	s, _ := m.Open(t)
	long := strings.Repeat("a", 200)
	keys := []string{
		"certificates/acme.example-directory/wildcard_.client.example/wildcard_.client.example.crt",
		"acme/ca.example-dir/users/ops+test@agency.example/ops+test.key", "with space/x y", "percent%41/%2e", "q?a=b&c#d",
		"certificates/" + long + "/" + long + "/" + long + ".json", "Upper/Case", "upper/case",
	}
	put(t, s, keys...)
	for _, k := range keys {
		if got, err := s.Load(t.Context(), k); err != nil || string(got) != "value of "+k {
			t.Errorf("%s: %q, %v", k, got, err)
		}
	}
	for _, folder := range []string{"percent%41", "with space"} {
		if got, err := s.List(t.Context(), folder, false); err != nil || len(got) != 1 || !slices.Contains(keys, got[0]) {
			t.Errorf("list of %s: %q, %v", folder, got, err)
		}
	}
}

// Whoever reads sees one of the values whole.
func (m Maker) concurrent(t *testing.T) {
	one, two := m.Open(t)
	value := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 20_000) }
	ok(t, one.Store(t.Context(), "k", value(0)))
	var wg sync.WaitGroup
	for i := range 6 {
		s := []certmagic.Storage{one, two}[i%2]
		wg.Go(func() {
			for range 10 {
				if err := s.Store(t.Context(), "k", value(i)); err != nil {
					t.Error(err)
				}
				got, err := s.Load(t.Context(), "k")
				if err != nil || len(got) != 20_000 || len(bytes.Trim(got, string(got[:1]))) != 0 {
					t.Errorf("%d bytes, mixed, or %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
}

func (m Maker) lockExcludes(t *testing.T) {
	one, two := m.Open(t)
	var inside, most, turns atomic.Int32
	var wg sync.WaitGroup
	for i := range 6 {
		s := []certmagic.Storage{one, two}[i%2]
		wg.Go(func() {
			for range 2 {
				if err := s.Lock(t.Context(), "issue_cert_acme.example"); err != nil {
					t.Error(err)
					return
				}
				n := inside.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				_, _ = s.Load(t.Context(), "anything") // something that takes a moment
				turns.Add(1)
				inside.Add(-1)
				if err := s.Unlock(t.Context(), "issue_cert_acme.example"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 || turns.Load() != 12 {
		t.Errorf("%d at a time, %d of 12 turns", most.Load(), turns.Load())
	}
}

func (m Maker) lockWaits(t *testing.T) {
	one, two := m.Open(t)
	ok(t, one.Lock(t.Context(), "a"))
	ok(t, two.Lock(t.Context(), "b")) // another name is another lock
	ok(t, two.Unlock(t.Context(), "b"))
	got := make(chan error, 1)
	go func() { got <- two.Lock(t.Context(), "a") }()
	select {
	case err := <-got:
		t.Fatalf("a held lock was taken: %v", err)
	case <-time.After(700 * time.Millisecond):
	}
	ok(t, one.Unlock(t.Context(), "a"))
	ok(t, <-got)
	ok(t, two.Unlock(t.Context(), "a"))
	ok(t, one.Lock(t.Context(), "a"))
	ok(t, one.Unlock(t.Context(), "a"))
}

func (m Maker) lockContext(t *testing.T) {
	one, two := m.Open(t)
	ok(t, one.Lock(t.Context(), "a"))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := two.Lock(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting ended with %v", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("waiting took %v", took)
	}
	ok(t, one.Unlock(t.Context(), "a"))
	ok(t, two.Lock(t.Context(), "a")) // who gave up left nothing behind
	ok(t, two.Unlock(t.Context(), "a"))
}

func (m Maker) abandoned(t *testing.T) {
	one, two := m.Open(t)
	m.Abandon(t, one, "a")
	began := time.Now()
	var inside atomic.Int32
	var wg sync.WaitGroup
	for _, s := range []certmagic.Storage{one, two} { // both wait for it, one gets it first
		wg.Go(func() {
			if err := s.Lock(t.Context(), "a"); err != nil {
				t.Error(err)
				return
			}
			if inside.Add(1) != 1 && !m.Rough {
				t.Error("both have the lock")
			}
			_, _ = s.Load(t.Context(), "anything")
			inside.Add(-1)
			if err := s.Unlock(t.Context(), "a"); err != nil && !m.Rough {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(began); took > m.Expires+5*time.Second {
		t.Errorf("the lock of a dead proxy was in the way for %v", took)
	}
}

// A lock that is held for longer than one that is abandoned is respected.
func (m Maker) kept(t *testing.T) {
	one, two := m.Open(t)
	ok(t, one.Lock(t.Context(), "a"))
	ctx, cancel := context.WithTimeout(t.Context(), m.Expires+2*time.Second)
	defer cancel()
	if err := two.Lock(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a lock that is held was taken over: %v", err)
	}
	ok(t, one.Unlock(t.Context(), "a"))
}

func (m Maker) unlockLate(t *testing.T) {
	one, two := m.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	ok(t, one.Lock(ctx, "a"))
	cancel()
	ok(t, one.Unlock(ctx, "a"))
	within, stop := context.WithTimeout(t.Context(), m.Expires/2+2*time.Second)
	defer stop()
	ok(t, two.Lock(within, "a"))
	ok(t, two.Unlock(t.Context(), "a"))
}

// A lock does not stand in the way of a value of its name, nor is it one.
func (m Maker) lockedValues(t *testing.T) {
	s, _ := m.Open(t)
	ok(t, s.Lock(t.Context(), "certificates/x"))
	if s.Exists(t.Context(), "certificates/x") {
		t.Error("a lock is a value")
	}
	put(t, s, "certificates/x")
	ok(t, s.Unlock(t.Context(), "certificates/x"))
	if !s.Exists(t.Context(), "certificates/x") {
		t.Error("unlocking removed the value")
	}
}
