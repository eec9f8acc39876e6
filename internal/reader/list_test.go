package reader_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/reader"
)

// TestListByTar: tar tells times to the second, so what is in files is told by a sum.
func TestListByTar(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range []struct {
		header  tar.Header
		content string
	}{
		{tar.Header{Name: "./a"}, "one"},
		{tar.Header{Name: "./b"}, "two"},
		{tar.Header{Name: "./c"}, "one"},
		{tar.Header{Name: "./d", Typeflag: tar.TypeLink, Linkname: "./b"}, ""},
	} {
		f.header.Mode, f.header.ModTime, f.header.Size = 0o644, time.Unix(1600000000, 0), int64(len(f.content))
		must(t, w.WriteHeader(&f.header))
		_, err := io.WriteString(w, f.content)
		must(t, err)
	}
	must(t, w.Close())
	l := fake(t)
	l.SetExec(command(l, "tar=tar (busybox) 1.35\nfind=\n", func(_ context.Context, spec fleet.ExecSpec) (int, error) {
		_, err := spec.Stdout.Write(archive.Bytes())
		return 0, err
	}))
	r, err := reader.Open(t.Context(), l, spec)
	must(t, err)
	list, err := r.List(t.Context())
	must(t, err)
	if len(list) != 4 {
		t.Fatalf("the list is %+v", list)
	}
	sums := map[string]uint64{}
	for _, f := range list {
		if f.Size != 3 || f.Sum == 0 {
			t.Errorf("%+v", f)
		}
		sums[f.Path] = f.Sum
	}
	if sums["/a"] == sums["/b"] || sums["/a"] != sums["/c"] || sums["/d"] != sums["/b"] {
		t.Errorf("sums %v", sums)
	}
}
