package lxdcontract

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func (s *suite) testFiles(t *testing.T) {
	ctx := t.Context()
	s.clone(t, "acme", 1)
	big := bytes.Repeat([]byte("x"), 3<<20)
	for _, c := range []struct {
		name string
		file fleet.File
		want string
	}{
		{"a file", fleet.File{Path: "/root/hello", Content: strings.NewReader("hello")}, "hello"},
		{"again, other content", fleet.File{Path: "/root/hello", Content: strings.NewReader("bye")}, "bye"},
		{"parents are made", fleet.File{Path: "/srv/a/b/c", Content: strings.NewReader("deep"), Mode: 0o600}, "deep"},
		{"an empty one", fleet.File{Path: "/srv/a/empty", Content: strings.NewReader("")}, ""},
		{"odd letters", fleet.File{Path: "/srv/a b/ö&?=%20", Content: strings.NewReader("odd")}, "odd"},
		{"a big one", fleet.File{Path: "/srv/big", Content: bytes.NewReader(big)}, string(big)},
	} {
		if err := s.lxd.PushFile(ctx, "acme", c.file); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := s.read(t, "acme", c.file.Path); got != c.want {
			t.Errorf("%s: read %d bytes, want %d", c.name, len(got), len(c.want))
		}
	}
	for range 2 {
		ok(t, s.lxd.PushFile(ctx, "acme", fleet.File{Path: "/srv/x/y", Dir: true, Mode: 0o750}))
	}
	_, err := s.lxd.ReadFile(ctx, "acme", "/srv/x/y")
	code(t, err, fleet.Invalid)
	_, err = s.lxd.ReadFile(ctx, "acme", "/srv/nothing")
	code(t, err, fleet.NotFound)
	_, err = s.lxd.ReadFile(ctx, "nobody", "/srv/nothing")
	code(t, err, fleet.NotFound)
	code(t, s.lxd.PushFile(ctx, "nobody", fleet.File{Path: "/x", Content: strings.NewReader("")}), fleet.NotFound)
	code(t, s.lxd.PushFile(ctx, "acme", fleet.File{Path: "x", Content: strings.NewReader("")}), fleet.Invalid)

	log, err := s.lxd.ConsoleLog(ctx, "acme")
	ok(t, err)
	if len(log) != 0 {
		t.Errorf("never started, its console has %q", log)
	}
	ok(t, s.lxd.EnsureStarted(ctx, "acme"))
	if got := s.read(t, "acme", "/srv/a/b/c"); got != "deep" {
		t.Errorf("when it runs the file has %q", got)
	}
	_, err = s.lxd.ConsoleLog(ctx, "acme")
	ok(t, err)
	_, err = s.lxd.ConsoleLog(ctx, "nobody")
	code(t, err, fleet.NotFound)
}

func (s *suite) read(t *testing.T, name, path string) string {
	t.Helper()
	r, err := s.lxd.ReadFile(t.Context(), name, path)
	ok(t, err)
	defer func() { _ = r.Close() }()
	content, err := io.ReadAll(r)
	ok(t, err)
	return string(content)
}

func (s *suite) testFolder(t *testing.T) {
	ctx := t.Context()
	s.clone(t, "acme", 1)
	for _, f := range []fleet.File{
		{Path: "/srv/site", Dir: true, Mode: 0o750, UID: 33, GID: 34},
		{Path: "/srv/site/b b", Content: strings.NewReader("four"), Mode: 0o640, UID: 33, GID: 1000},
		{Path: "/srv/site/a", Content: strings.NewReader("")},
		{Path: "/srv/site/c/d", Content: strings.NewReader("deep"), Mode: 0o711},
	} {
		ok(t, s.lxd.PushFile(ctx, "acme", f))
	}
	for _, running := range []bool{false, true} {
		if running {
			ok(t, s.lxd.EnsureStarted(ctx, "acme"))
		}
		list, err := s.lxd.Files(ctx, "acme", "/srv/site/")
		ok(t, err)
		for i, want := range []fleet.FileInfo{
			{Path: "/srv/site/a", Type: fleet.FileRegular, Mode: 0o644},
			{Path: "/srv/site/b b", Type: fleet.FileRegular, Mode: 0o640, UID: 33, GID: 1000, Size: 4},
			{Path: "/srv/site/c", Type: fleet.FileFolder, Mode: 0o755},
		} {
			if len(list) != 3 || list[i].ModTime.IsZero() {
				t.Fatalf("the folder has %+v", list)
			}
			list[i].ModTime = want.ModTime
			if want.Type == fleet.FileFolder {
				list[i].Size = 0
			}
			if list[i] != want {
				t.Errorf("file is %+v, want %+v", list[i], want)
			}
		}
	}
	one, err := s.lxd.Files(ctx, "acme", "/srv/site/c/d")
	ok(t, err)
	if len(one) != 1 || one[0].Path != "/srv/site/c/d" || one[0].Mode != 0o711 || one[0].Size != 4 {
		t.Errorf("of a file Files gives %+v", one)
	}
	_, err = s.lxd.Files(ctx, "acme", "/srv/nothing")
	code(t, err, fleet.NotFound)
	_, err = s.lxd.Files(ctx, "nobody", "/srv")
	code(t, err, fleet.NotFound)
	_, err = s.lxd.Files(ctx, "acme", "srv")
	code(t, err, fleet.Invalid)
}
