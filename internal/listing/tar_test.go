package listing

import (
	"archive/tar"
	"bytes"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestTar(t *testing.T) {
	var stream bytes.Buffer
	w := tar.NewWriter(&stream)
	at := time.Unix(1600000000, 5e8).UTC()
	for _, h := range []tar.Header{
		{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./a", Size: 3, Mode: 0o4750, Uid: 33, Gid: 44},
		{Name: "./empty"},
		{Name: "./folder/", Typeflag: tar.TypeDir, Mode: 0o700},
		{Name: "./hard", Typeflag: tar.TypeLink, Linkname: "./a"},
		{Name: "./harder", Typeflag: tar.TypeLink, Linkname: "./hard"},
		{Name: "./link", Typeflag: tar.TypeSymlink, Linkname: "a b"},
		{Name: "./null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3},
	} {
		h.ModTime, h.Format = at, tar.FormatPAX
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	stream.Write(make([]byte, 8192)) // padding
	var list []fleet.FileInfo
	err := Tar(&stream, func(io.Reader) (uint64, error) { return 7, nil }, func(f fleet.FileInfo) { list = append(list, f) })
	want := []fleet.FileInfo{
		{Path: "/a", Type: fleet.FileRegular, Mode: 0o4750, UID: 33, GID: 44, Size: 3, Sum: 7},
		{Path: "/empty", Type: fleet.FileRegular},
		{Path: "/folder", Type: fleet.FileFolder, Mode: 0o700},
		{Path: "/hard", Type: fleet.FileRegular, Size: 3, Sum: 7},
		{Path: "/harder", Type: fleet.FileRegular, Size: 3, Sum: 7},
		{Path: "/link", Type: fleet.FileSymlink, Target: "a b"},
		{Path: "/null", Type: fleet.FileOther},
	}
	for i := range want {
		want[i].ModTime = at
	}
	if err != nil || !slices.Equal(list, want) || stream.Len() != 0 {
		t.Errorf("the list is %+v, error %v, %d bytes are left", list, err, stream.Len())
	}
}

func TestTarBroken(t *testing.T) {
	sum := func(io.Reader) (uint64, error) { return 0, nil }
	if err := Tar(bytes.NewReader(bytes.Repeat([]byte("x"), 2048)), sum, func(fleet.FileInfo) {}); err == nil {
		t.Error("rubbish is a tar stream")
	}
}

func TestChanges(t *testing.T) {
	list := func(paths ...string) (files []fleet.FileInfo) {
		for _, p := range paths {
			files = append(files, fleet.FileInfo{Path: p[1:], Type: fleet.FileRegular, Size: fleet.Size(p[0])})
		}
		return files
	}
	changes := Changes(list("1/a", "1/b", "1/d"), list("1/a", "2/b", "1/c", "1/e"))
	var got []string
	for _, c := range changes {
		got = append(got, c.Change+" "+c.Path)
		if (c.Before == nil) != (c.Change == fleet.FileAdded) || (c.After == nil) != (c.Change == fleet.FileRemoved) {
			t.Errorf("%s has %v and %v", c.Path, c.Before, c.After)
		}
	}
	if want := []string{"changed /b", "added /c", "removed /d", "added /e"}; !slices.Equal(got, want) {
		t.Errorf("changes are %v", got)
	}
	if none := Changes(nil, nil); none == nil || len(none) > 0 {
		t.Errorf("of nothing there is %v", none)
	}
}
