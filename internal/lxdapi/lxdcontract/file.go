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
