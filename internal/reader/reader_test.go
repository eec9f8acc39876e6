package reader_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
	"github.com/lxdfleet/lxdfleet/internal/reader"
)

var spec = reader.Spec{
	Source: "acme", Snapshot: "first", Name: "reader", JobID: "job",
	Config: map[string]string{fleet.KeyTenant: "id", fleet.KeyRole: "tenant"},
}

// fake has the instance acme with a snapshot, and other files since.
func fake(t *testing.T) *lxdfake.LXD {
	t.Helper()
	l := lxdfake.New(lxdfake.Options{})
	must(t, l.LxcCreate(fleet.CloneSpec{Name: "acme"}))
	l.SetFile("acme", "/srv/note", []byte("then"))
	must(t, l.LxcSnapshot("acme", "first"))
	l.SetFile("acme", "/srv/note", []byte("now"))
	l.SetExec(l.Tools(nil))
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func contentOf(t *testing.T, r io.Reader, name string) string {
	t.Helper()
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		must(t, err)
		if h.Name == name {
			content, err := io.ReadAll(archive)
			must(t, err)
			return string(content)
		}
	}
}

func TestReader(t *testing.T) {
	l := fake(t)
	for range 2 { // the same again, as after a crash
		r, err := reader.Open(t.Context(), l, spec)
		must(t, err)
		if r.Lacks() != "" {
			t.Errorf("it lacks %q", r.Lacks())
		}
		var out bytes.Buffer
		must(t, r.Tar(t.Context(), &out))
		if got := contentOf(t, &out, "./srv/note"); got != "then" {
			t.Errorf("the note is %q", got)
		}
		list, err := r.List(t.Context())
		must(t, err)
		if len(list) != 2 || list[1].Path != "/srv/note" || list[1].Size != 4 || list[1].Type != fleet.FileRegular || list[0].Type != fleet.FileFolder {
			t.Errorf("the list is %+v", list)
		}
	}
	seen, _ := l.Seen("reader")
	if seen.Config[fleet.KeyRole] != fleet.RoleReader || seen.Config[fleet.KeyJob] != "job" || seen.Config[fleet.KeyTenant] != "id" || len(seen.Profiles) != 0 {
		t.Errorf("the reader's instance is %+v", seen)
	}
	r, err := reader.Open(t.Context(), l, spec)
	must(t, err)
	for range 2 {
		must(t, r.Close(t.Context()))
	}
	if _, there := l.Seen("reader"); there {
		t.Error("it is still there")
	}
}

// TestFailures: each step fails; once it does not any more a repeat ends well, and Close removes
// what is there.
func TestFailures(t *testing.T) {
	for _, method := range []string{"EnsureCopy", "SetConfig", "EnsureStarted", "Exec"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after %v", method, after), func(t *testing.T) {
				l := fake(t)
				l.Inject(lxdfake.Fault{Method: method, Times: 1, After: after, Err: fleet.Errorf(fleet.Unavailable, "away")})
				r, err := reader.Open(t.Context(), l, spec)
				if fleet.CodeOf(err) != fleet.Unavailable && method != "Exec" {
					t.Errorf("error is %v", err)
				}
				again, err := reader.Open(t.Context(), l, spec)
				must(t, err)
				must(t, again.Tar(t.Context(), io.Discard))
				must(t, r.Close(t.Context()))
				if _, there := l.Seen("reader"); there {
					t.Error("it is still there")
				}
			})
		}
	}
}

// command answers tar, and leaves the question which there are to the fake's tools.
func command(l *lxdfake.LXD, question string, answer func(ctx context.Context, spec fleet.ExecSpec) (int, error)) lxdfake.ExecFunc {
	return func(ctx context.Context, _ string, spec fleet.ExecSpec) (int, error) {
		if slices.Contains(spec.Command, "prepare") {
			_, err := io.WriteString(spec.Stdout, question)
			return 0, err
		}
		return answer(ctx, spec)
	}
}

const gnu = "tar=tar (GNU tar) 1.34\nfind=find (GNU findutils) 4.9.0\n"

func TestTar(t *testing.T) {
	whole := func(l *lxdfake.LXD, spec fleet.ExecSpec) { _ = l.WriteTar("reader", spec.Stdout) }
	refused := errors.New("no more")
	for _, c := range []struct {
		name   string
		answer func(l *lxdfake.LXD, ctx context.Context, spec fleet.ExecSpec) (int, error)
		w      io.Writer
		want   error
		text   string
	}{
		{name: "well", answer: func(l *lxdfake.LXD, _ context.Context, spec fleet.ExecSpec) (int, error) {
			whole(l, spec)
			return 0, nil
		}},
		{name: "tar fails", answer: func(l *lxdfake.LXD, _ context.Context, spec fleet.ExecSpec) (int, error) {
			whole(l, spec)
			_, _ = io.WriteString(spec.Stderr, "tar: ./x: Cannot open\nlxdfleet-end: 2\n")
			return 2, nil
		}, want: fleet.Failed, text: "./x: Cannot open"},
		{name: "it breaks off", answer: func(_ *lxdfake.LXD, _ context.Context, spec fleet.ExecSpec) (int, error) {
			_, _ = spec.Stdout.Write(make([]byte, 512))
			return 0, nil
		}, want: fleet.Unavailable, text: "broke off"},
		{name: "nothing comes", answer: func(_ *lxdfake.LXD, ctx context.Context, spec fleet.ExecSpec) (int, error) {
			_, _ = spec.Stdout.Write(make([]byte, 2048))
			<-ctx.Done()
			return -1, context.Cause(ctx)
		}, want: fleet.Unavailable, text: "nothing any more"},
		{name: "LXD forgets to tell the end", answer: func(l *lxdfake.LXD, ctx context.Context, spec fleet.ExecSpec) (int, error) {
			_, _ = io.WriteString(spec.Stderr, "a remark\nlxdfleet-end: ")
			whole(l, spec)
			_, _ = io.WriteString(spec.Stderr, "0\n")
			<-ctx.Done()
			return -1, context.Cause(ctx)
		}},
		{name: "LXD loses the end", answer: func(_ *lxdfake.LXD, ctx context.Context, spec fleet.ExecSpec) (int, error) {
			_, _ = io.WriteString(spec.Stderr, "lxdfleet-end: 0\n")
			_, _ = spec.Stdout.Write([]byte(strings.Repeat("x", 512)))
			<-ctx.Done()
			return -1, context.Cause(ctx)
		}, want: fleet.Unavailable},
		{name: "a slow writer", w: slow{}, answer: func(l *lxdfake.LXD, _ context.Context, spec fleet.ExecSpec) (int, error) {
			_, _ = io.WriteString(spec.Stderr, "lxdfleet-end: 0\n")
			whole(l, spec)
			return 0, nil
		}},
		{name: "a writer that refuses", w: refusing{refused}, answer: func(l *lxdfake.LXD, ctx context.Context, spec fleet.ExecSpec) (int, error) {
			whole(l, spec)
			<-ctx.Done()
			return -1, context.Cause(ctx)
		}, want: refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := fake(t)
				l.SetExec(command(l, gnu, func(ctx context.Context, spec fleet.ExecSpec) (int, error) { return c.answer(l, ctx, spec) }))
				r, err := reader.Open(t.Context(), l, spec)
				must(t, err)
				if c.w == nil {
					c.w = io.Discard
				}
				start := time.Now()
				err = r.Tar(t.Context(), c.w)
				if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.text) {
					t.Errorf("error is %v, want %v", err, c.want)
				}
				if took := time.Since(start); took > 24*time.Hour {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

type slow struct{}

func (slow) Write(p []byte) (int, error) { time.Sleep(10 * time.Minute); return len(p), nil }

type refusing struct{ err error }

func (r refusing) Write([]byte) (int, error) { return 0, r.err }

func TestCancelled(t *testing.T) {
	l := fake(t)
	ctx, cancel := context.WithCancel(t.Context())
	l.SetExec(command(l, gnu, func(ctx context.Context, _ fleet.ExecSpec) (int, error) {
		cancel()
		<-ctx.Done()
		return -1, context.Cause(ctx)
	}))
	r, err := reader.Open(ctx, l, spec)
	must(t, err)
	if err := r.Tar(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestUnsupported(t *testing.T) {
	for name, question := range map[string]string{
		"no tar":   "tar=sh: tar: not found\nfind=\n",
		"no mount": "mount: permission denied\n",
	} {
		l := fake(t)
		l.SetExec(command(l, question, nil))
		_, err := reader.Open(t.Context(), l, spec)
		if fleet.CodeOf(err) != fleet.Unsupported {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func TestList(t *testing.T) {
	const entry = "srv/a\nb\x00f\x004750\x0033\x0044\x005\x001600000000.1234567890\x00\x00"
	for _, c := range []struct {
		name, out string
		exit      int
		want      []fleet.FileInfo
		code      fleet.Code
	}{
		{name: "nothing"},
		{name: "files", out: entry + "b\x00d\x00755\x000\x000\x000\x000.5\x00\x00" + "a\x00l\x00777\x000\x000\x003\x001.0\x00b c\x00" + "p\x00p\x00600\x000\x000\x000\x001.0\x00\x00", want: []fleet.FileInfo{
			{Path: "/a", Type: fleet.FileSymlink, Mode: 0o777, Size: 3, ModTime: time.Unix(1, 0).UTC(), Target: "b c"},
			{Path: "/b", Type: fleet.FileFolder, Mode: 0o755, ModTime: time.Unix(0, 5e8).UTC()},
			{Path: "/p", Type: fleet.FileOther, Mode: 0o600, ModTime: time.Unix(1, 0).UTC()},
			{Path: "/srv/a\nb", Type: fleet.FileRegular, Mode: 0o4750, UID: 33, GID: 44, Size: 5, ModTime: time.Unix(1600000000, 123456789).UTC()},
		}},
		{name: "it breaks off", out: entry[:20], code: fleet.Unavailable},
		{name: "rubbish", out: strings.Repeat("x\x00", 8), code: fleet.Failed},
		{name: "find fails", out: entry, exit: 1, code: fleet.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := fake(t)
			l.SetExec(command(l, gnu, func(_ context.Context, spec fleet.ExecSpec) (int, error) {
				_, _ = io.WriteString(spec.Stdout, c.out)
				return c.exit, nil
			}))
			r, err := reader.Open(t.Context(), l, spec)
			must(t, err)
			list, err := r.List(t.Context())
			if fleet.CodeOf(err) != c.code || !slices.Equal(list, c.want) {
				t.Errorf("the list is %+v, error %v", list, err)
			}
		})
	}
}
