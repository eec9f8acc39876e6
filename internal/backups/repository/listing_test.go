package repository

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/listing"
)

func mustList(t *testing.T, r *Repository, id string) []fleet.FileInfo {
	t.Helper()
	list, err := r.Listing(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Of two backups the files are told apart by what is in them, also where nothing else differs.
func TestListing(t *testing.T) {
	r := sharedRepository(t)
	stream := func(content []byte) []byte {
		return archive(t, entries{
			{tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}, nil},
			{tar.Header{Name: "./changes", ModTime: time.Unix(1, 5).UTC(), Format: tar.FormatPAX, Mode: 0o4755, Uid: 33, Gid: 44}, content},
			{tar.Header{Name: "./empty"}, nil},
			{tar.Header{Name: "./hard", Typeflag: tar.TypeLink, Linkname: "./changes"}, nil},
			{tar.Header{Name: "./null", Typeflag: tar.TypeChar}, nil},
			{tar.Header{Name: "./stays"}, random(1, 3*smallFile)},
			{tar.Header{Name: "./\xff"}, []byte("no name for a tree")},
		})
	}
	older := mustWrite(t, r, meta(t), stream(random(2, 3*smallFile)))
	newer := mustWrite(t, r, meta(t), stream(random(3, 3*smallFile)))
	before, after := mustList(t, r, older.ID), mustList(t, r, newer.ID)
	var paths []string
	for _, f := range before {
		paths = append(paths, f.Path)
	}
	if want := []string{"/changes", "/empty", "/hard", "/null", "/stays", "/\xff"}; !slices.Equal(paths, want) {
		t.Errorf("the list is %q", paths)
	}
	f := before[0]
	f.Sum = 0
	if want := (fleet.FileInfo{
		Path: "/changes", Type: fleet.FileRegular, Mode: 0o4755, UID: 33, GID: 44, Size: 3 * smallFile, ModTime: time.Unix(1, 5).UTC(),
	}); f != want {
		t.Errorf("%+v", f)
	}
	var changed []string
	for _, c := range listing.Changes(before, after) {
		changed = append(changed, c.Change+" "+c.Path)
	}
	if want := []string{"changed /changes", "changed /hard"}; !slices.Equal(changed, want) {
		t.Errorf("changes are %v", changed)
	}
}

func TestListingRefused(t *testing.T) {
	r := sharedRepository(t)
	if _, err := r.Listing(t.Context(), "00000000"); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("error is %v", err)
	}
	s := mustWrite(t, r, meta(t), archive(t, entries{{tar.Header{Name: "a"}, []byte("x")}}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Listing(ctx, s.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

// listsAll checks that the list of a backup is the same as if all of its stream were read.
func listsAll(rt *rapid.T, r *Repository, id string, stream []byte) {
	got, err := r.Listing(rt.Context(), id)
	if err != nil {
		rt.Fatal(err)
	}
	var want []fleet.FileInfo
	if err := listing.Tar(bytes.NewReader(stream), listing.Sum, func(f fleet.FileInfo) { want = append(want, f) }); err != nil {
		rt.Fatal(err)
	}
	slices.SortStableFunc(want, func(a, b fleet.FileInfo) int { return strings.Compare(a.Path, b.Path) })
	if len(got) != len(want) {
		rt.Fatalf("%d files are listed, %d are there", len(got), len(want))
	}
	sums := map[uint64]uint64{}
	for i := range got {
		of, known := sums[want[i].Sum]
		if !known {
			of, sums[want[i].Sum] = got[i].Sum, got[i].Sum
		}
		if got[i].Sum != of || (got[i].Sum == 0) != (want[i].Sum == 0) {
			rt.Errorf("sum %x of %s", got[i].Sum, got[i].Path)
		}
		got[i].Sum, want[i].Sum = 0, 0
		if got[i] != want[i] {
			rt.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
}
