package repository

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// objects gives the paths of a repository's packs.
func objects(t *testing.T, r *Repository, prefix string) map[string]int64 {
	t.Helper()
	all := make(map[string]int64)
	err := filepath.WalkDir(r.folder.path, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if name, _ := filepath.Rel(r.folder.path, path); strings.HasPrefix(name, prefix) && strings.HasSuffix(name, ".f") {
				info, err := d.Info()
				if err != nil {
					return err
				}
				all[path] = info.Size()
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// newPack writes a backup and gives the pack of its contents.
func newPack(t *testing.T, r *Repository, stream []byte) (Stored, string) {
	t.Helper()
	before := objects(t, r, "p")
	s := mustWrite(t, r, meta(t), stream)
	for path := range objects(t, r, "p") {
		if _, ok := before[path]; !ok {
			return s, path
		}
	}
	t.Fatal("no pack was written")
	return s, ""
}

// What happens to an object is found out and named, by a read, by a verification and for a single
// file; and nothing of the damaged file comes out.
func TestDamage(t *testing.T) {
	r := sharedRepository(t)
	for name, tc := range map[string]struct {
		harm  func(t *testing.T, path string, data []byte)
		quick bool // seen without reading
	}{
		"a bit flipped": {harm: func(t *testing.T, path string, data []byte) {
			data = bytes.Clone(data)
			data[len(data)/2] ^= 4
			put(t, path, data)
		}},
		"cut short": {quick: true, harm: func(t *testing.T, path string, data []byte) { put(t, path, data[:len(data)/3]) }},
		"empty":     {quick: true, harm: func(t *testing.T, path string, _ []byte) { put(t, path, nil) }},
		"missing": {quick: true, harm: func(t *testing.T, path string, _ []byte) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			stream := archive(t, entries{
				{Header: tar.Header{Name: "./etc/hosts"}, content: []byte(name)},
				{Header: tar.Header{Name: "./var/photo"}, content: random(uint64(len(name)), 300<<10)},
			})
			s, path := newPack(t, r, stream)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			tc.harm(t, path, data)
			defer put(t, path, data) // others share the repository
			damagedAt(t, s.ID, func() error { return r.Read(t.Context(), s.ID, failOn(t, data[:0]), nil) })
			damagedAt(t, s.ID, func() error {
				f, _, err := r.File(t.Context(), s.ID, "var/photo")
				if err == nil {
					_, err = io.Copy(io.Discard, f)
				}
				return err
			})
			for _, quick := range []bool{false, true} {
				found, err := r.Verify(t.Context(), VerifyOptions{IDs: []string{s.ID}, Quick: quick}, nil)
				if err != nil {
					t.Fatal(err)
				}
				named := false
				for _, d := range found {
					named = named || d.Path == "var/photo" && d.Object != "" && d.Backup == s.ID
				}
				if want := !quick || tc.quick; named != want {
					t.Errorf("quick %t: found %v", quick, found)
				}
			}
		})
	}
}

// failOn is a writer that must not be given a photograph.
func failOn(t *testing.T, _ []byte) io.Writer { return &small{t: t} }

type small struct {
	t *testing.T
	n int
}

func (s *small) Write(p []byte) (int, error) {
	if s.n += len(p); s.n > 10<<10 {
		s.t.Error("something of the damaged file came out")
	}
	return len(p), nil
}

func damagedAt(t *testing.T, id string, do func() error) {
	t.Helper()
	err := do()
	d, ok := errors.AsType[*Damage](err)
	if !ok || fleet.CodeOf(err) != fleet.Failed {
		t.Errorf("no damage is told: %v", err)
		return
	}
	if !strings.Contains(d.Path, "photo") && d.Path != "the headers" || d.Object == "" || d.Backup != id {
		t.Errorf("told: %+v", d)
	}
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A stream that ends early, fails or is none leaves nothing that can be seen.
func TestBrokenStreams(t *testing.T) {
	r := sharedRepository(t)
	whole := archive(t, entries{
		{Header: tar.Header{Name: "a"}, content: random(7, 3000)},
		{Header: tar.Header{Name: "b"}, content: random(8, 100)},
	})
	failed := errors.New("the line broke")
	for name, tc := range map[string]struct {
		stream io.Reader
		code   fleet.Code
		is     error
	}{
		"cut in a file":     {bytes.NewReader(whole[:1000]), fleet.Invalid, io.ErrUnexpectedEOF},
		"cut in a header":   {bytes.NewReader(whole[:3584+512+100]), fleet.Invalid, nil},
		"cut between files": {bytes.NewReader(whole[:512+3072]), fleet.Invalid, nil},
		"cut in the end":    {bytes.NewReader(whole[:len(whole)-512]), fleet.Invalid, nil},
		"nothing":           {bytes.NewReader(nil), fleet.Invalid, nil},
		"no tar":            {bytes.NewReader(random(9, 4096)), fleet.Invalid, tar.ErrHeader},
		"fails":             {io.MultiReader(bytes.NewReader(whole[:700]), broken{failed}), fleet.Internal, failed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Write(t.Context(), meta(t), tc.stream, nil)
			if err == nil || fleet.CodeOf(err) != tc.code || tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("%v", err)
			}
			all, err := r.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range all {
				if s.Meta.Tenant == meta(t).Tenant {
					t.Errorf("a backup is there: %+v", s)
				}
			}
		})
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// What a write that was broken off had uploaded is used by the next one.
func TestResume(t *testing.T) {
	own := *sharedRepository(t)
	r := &own
	r.flush = 1 << 20
	stream := archive(t, entries{
		{Header: tar.Header{Name: "one"}, content: random(20, 5<<20)},
		{Header: tar.Header{Name: "two"}, content: random(21, 1<<18)},
	})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := r.Write(ctx, meta(t), io.MultiReader(bytes.NewReader(stream[:5<<20+4096]), cancelling{cancel}, bytes.NewReader(stream[5<<20+4096:])), nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	s := mustWrite(t, r, meta(t), stream)
	if s.Moved > 2<<20 {
		t.Errorf("%d bytes were moved after 5 MiB had been", s.Moved)
	}
	if got := mustRead(t, r, s.ID); !bytes.Equal(got, stream) {
		t.Error("not the same")
	}
}

type cancelling struct{ cancel func() }

func (c cancelling) Read([]byte) (int, error) { c.cancel(); return 0, io.EOF }
