package backups

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUnified(t *testing.T) {
	var in bytes.Buffer
	w := tar.NewWriter(&in)
	long := strings.Repeat("a long name/", 30) + "end"
	for _, h := range []*tar.Header{
		{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755, Uid: 0},
		{Name: "./bin/ping", Typeflag: tar.TypeReg, Mode: 0o4755, Size: 3, ModTime: time.Unix(5, 0), PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02"}},
		{Name: "./bin/ping6", Typeflag: tar.TypeLink, Linkname: "./bin/ping"},
		{Name: "./bin/sh", Typeflag: tar.TypeSymlink, Linkname: "/bin/dash"},
		{Name: "./dev/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3, Mode: 0o666},
		{Name: "etc/" + long, Typeflag: tar.TypeReg, Mode: 0o600, Size: 3, Uid: 3_000_000, Gid: 70_000, Format: tar.FormatGNU},
		{Name: "./../../evil", Typeflag: tar.TypeReg, Mode: 0o600, Size: 3},
	} {
		do(t, w.WriteHeader(h))
		if h.Size > 0 {
			_, err := io.WriteString(w, "abc")
			do(t, err)
		}
	}
	do(t, w.Close())
	var out, again bytes.Buffer
	raw := in.Bytes()
	do(t, unified(t.Context(), bytes.NewReader(raw), "job1", &out))
	do(t, unified(t.Context(), bytes.NewReader(raw), "job1", &again))
	if !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Error("twice is not the same")
	}
	var names []string
	r := tar.NewReader(&out)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		do(t, err)
		content, err := io.ReadAll(r)
		do(t, err)
		names = append(names, string(h.Typeflag)+h.Name+" "+h.Linkname)
		switch h.Name {
		case "metadata.yaml":
			if !strings.Contains(string(content), "job1") || !strings.Contains(string(content), "architecture: ") {
				t.Errorf("metadata %s", content)
			}
		case "rootfs/bin/ping":
			if h.PAXRecords["SCHILY.xattr.security.capability"] != "\x01\x00\x00\x02" || h.Mode != 0o4755 || string(content) != "abc" {
				t.Errorf("ping is %+v %q", h, content)
			}
		case "rootfs/dev/null":
			if h.Devmajor != 1 || h.Devminor != 3 {
				t.Errorf("null is %+v", h)
			}
		}
		if strings.HasSuffix(h.Name, "end") && (h.Uid != 3_000_000 || string(content) != "abc") {
			t.Errorf("a long name is %+v", h)
		}
	}
	want := []string{
		"0metadata.yaml ", "5rootfs/ ", "0rootfs/bin/ping ", "1rootfs/bin/ping6 rootfs/bin/ping", "2rootfs/bin/sh /bin/dash", "3rootfs/dev/null ",
		"0rootfs/etc/" + long + " ", "0rootfs/evil ",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if err := unified(t.Context(), bytes.NewReader(raw[:700]), "job1", io.Discard); err == nil {
		t.Error("a stream that is cut short is taken")
	}
}

func TestPump(t *testing.T) {
	ctx := t.Context()
	boom, bang := errors.New("boom"), errors.New("bang")
	for name, c := range map[string]struct {
		write func(context.Context, io.Writer) error
		read  func(context.Context, io.Reader) (int, error)
		want  error
	}{
		"well": {func(_ context.Context, w io.Writer) error { _, err := io.WriteString(w, "abc"); return err }, readAll, nil},
		"the reader leaves early": {func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, strings.Repeat("abc", 1000))
			return err
		}, func(context.Context, io.Reader) (int, error) { return 0, nil }, nil},
		"the writer fails": {func(_ context.Context, w io.Writer) error { _, _ = io.WriteString(w, "abc"); return boom }, readAll, boom},
		"the reader fails": {func(ctx context.Context, w io.Writer) error {
			for {
				if _, err := io.WriteString(w, "abc"); err != nil {
					return err
				}
			}
		}, func(context.Context, io.Reader) (int, error) { return 0, bang }, bang},
		"the reader fails while the writer waits": {func(ctx context.Context, _ io.Writer) error {
			<-ctx.Done()
			return ctx.Err()
		}, func(context.Context, io.Reader) (int, error) { return 0, bang }, bang},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := pump(ctx, c.write, c.read); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

func readAll(_ context.Context, r io.Reader) (int, error) {
	data, err := io.ReadAll(r)
	return len(data), err
}
