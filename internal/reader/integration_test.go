//go:build integration

package reader_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/tiny"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi"
	"github.com/lxdfleet/lxdfleet/internal/reader"
)

// oddFiles makes what is easily lost on the way. The numbers are Linux' of setxattr and of
// btrfs' ioctl that makes a subvolume.
const oddFiles = `
use strict;
my $d = "/srv/odd"; mkdir $d; chdir $d or die;
sub put { my ($n, $t) = @_; open(my $f, ">", $n) or die "$n: $!"; print $f $t; close $f }
sub xattr { my ($n, $k, $v) = @_; syscall(188, $n, $k, $v, length($v), 0) == 0 or die "$k: $!" }
put("plain", "text"); chown 33, 44, "plain"; chmod 04750, "plain"; utime 1600000000, 1600000000, "plain";
put("xattr", "x"); xattr("xattr", "user.note", "a\0b");
put("caps", "x"); xattr("caps", "security.capability", pack("V5", 0x02000001, 1<<10, 0, 0, 0));
put("acl", "x"); xattr("acl", "system.posix_acl_access", pack("V(vvV)5", 2, 1,6,0xffffffff, 2,4,1000, 4,4,0xffffffff, 16,4,0xffffffff, 32,4,0xffffffff));
link("plain", "twin"); symlink("/nowhere/at all", "link"); system("mkfifo", "pipe");
open(my $s, ">", "sparse") or die; seek($s, 8 << 20, 0); print $s "end"; close $s;
put("l" x 255, "long"); my $deep = join("/", ("d" x 100) x 4); system("mkdir", "-p", $deep); put("$deep/leaf", "deep");
put("new\nline", "n"); put("\xff\xfe", "bytes"); put("ö ü", "utf"); put("-rf", "dash");
open(my $at, "<", ".") or die; my $arg = pack("q a4088", 0, "subvolume");
die "subvolume: $!" unless ioctl($at, 0x5000940e, $arg);
put("subvolume/inside", "in");
`

type world struct {
	lxd      *lxdapi.Client
	instance string
}

// newWorld makes an instance of the image in a project of its own, running, on the last member.
func newWorld(t *testing.T, project string, image io.Reader) *world {
	t.Helper()
	ctx := t.Context()
	if os.Getenv("LXD_DIR") == "" {
		t.Fatal(`LXD_DIR is not set: run "scripts/devcluster up" and eval "$(scripts/devcluster env)"`)
	}
	general, err := lxdapi.Connect(ctx, lxdapi.Options{Project: "default"})
	ok(t, err)
	t.Cleanup(general.Close)
	profiles, err := general.Profiles(ctx)
	ok(t, err)
	lxd, err := lxdapi.Connect(ctx, lxdapi.Options{Project: project})
	ok(t, err)
	w := &world{lxd: lxd, instance: "acme"}
	w.clean(t)
	t.Cleanup(func() { w.clean(t); lxd.Close() })
	_, err = lxd.EnsureProject(ctx, fleet.ProjectSpec{Name: project, Config: map[string]string{"features.images": "true", "features.profiles": "true"}})
	ok(t, err)
	i := slices.IndexFunc(profiles, func(p fleet.ProfileSpec) bool { return p.Name == "default" })
	_, err = lxd.EnsureProfile(ctx, profiles[i])
	ok(t, err)
	fingerprint, err := lxd.EnsureImported(ctx, image, nil, nil)
	ok(t, err)
	members, err := lxd.Members(ctx)
	ok(t, err)
	ok(t, lxd.EnsureClone(ctx, fleet.CloneSpec{
		Name: w.instance, Fingerprint: fingerprint, Member: members[len(members)-1].Name, Profiles: []string{"default"},
		Config: map[string]string{fleet.KeyJob: "clone", "security.idmap.isolated": "true"},
	}, nil))
	ok(t, lxd.EnsureStarted(ctx, w.instance))
	return w
}

func (w *world) clean(t *testing.T) {
	ctx := context.Background()
	instances, err := w.lxd.Instances(ctx, false)
	if errors.Is(err, fleet.NotFound) {
		return
	}
	for _, i := range instances {
		err = errors.Join(err, w.lxd.EnsureDeleted(ctx, i.Name))
	}
	if err = errors.Join(err, w.lxd.DeleteProject(ctx)); err != nil {
		t.Error(err)
	}
}

func (w *world) exec(t *testing.T, command ...string) string {
	t.Helper()
	var out bytes.Buffer
	exit, err := w.lxd.Exec(t.Context(), w.instance, fleet.ExecSpec{Command: command, Stdout: &out, Stderr: &out})
	if err != nil || exit != 0 {
		t.Fatalf("%s: exit %d, error %v: %s", command[0], exit, err, out.String())
	}
	return out.String()
}

// open opens a reader of the snapshot and closes it after the test.
func (w *world) open(t *testing.T) *reader.Reader {
	t.Helper()
	r, err := reader.Open(t.Context(), w.lxd, reader.Spec{Source: w.instance, Snapshot: "first", Name: "reader", JobID: "job"})
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	ok(t, err)
	return r
}

// baseImage is the Debian image with a fingerprint of our own: see ownImage of lxdapi's tests.
func baseImage(t *testing.T) io.Reader {
	t.Helper()
	file, err := os.Open(cmp.Or(os.Getenv("LXDFLEET_BASE_IMAGE"), "/var/cache/lxdfleet/base-bookworm-amd64.tar.gz"))
	ok(t, err)
	t.Cleanup(func() { _ = file.Close() })
	var mark bytes.Buffer
	z := gzip.NewWriter(&mark)
	z.Comment = "reader"
	ok(t, z.Close())
	return io.MultiReader(file, &mark)
}

func TestDebian(t *testing.T) {
	w := newWorld(t, "lxdfleet-test-reader", baseImage(t))
	ctx := t.Context()
	w.exec(t, "perl", "-e", oddFiles)
	ok(t, w.lxd.EnsureSnapshot(ctx, w.instance, "first"))
	w.exec(t, "sh", "-c", "echo late >/srv/odd/late; echo changed >/srv/odd/plain")
	start := time.Now()
	r := w.open(t)
	t.Logf("opened in %s", time.Since(start))
	w.open(t) // once more, as after a crash
	if lacks := r.Lacks(); lacks != "" {
		t.Error(lacks)
	}
	var archive bytes.Buffer
	start = time.Now()
	ok(t, r.Tar(ctx, &archive))
	t.Logf("%d MB in %s", archive.Len()>>20, time.Since(start))
	headers, contents := unpack(t, bytes.NewReader(archive.Bytes()))
	checkOdd(t, headers, contents)

	var again bytes.Buffer
	ok(t, r.Tar(ctx, &again))
	if !bytes.Equal(archive.Bytes(), again.Bytes()) {
		t.Error("a second stream is another")
	}
	w.checkUntouched(t, headers, contents)
	list, err := r.List(ctx)
	ok(t, err)
	compare(t, list, headers)

	refused := errors.New("no more")
	start = time.Now()
	if err := r.Tar(ctx, &refuser{left: 1 << 20, err: refused}); !errors.Is(err, refused) || time.Since(start) > 5*time.Second {
		t.Errorf("after %s error is %v", time.Since(start), err)
	}
	ok(t, r.Close(ctx))
	ok(t, r.Close(ctx))
	_, err = w.lxd.Instance(ctx, "reader")
	if fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("closed, the instance is still there: %v", err)
	}
}

// checkUntouched: the start of the reader changed no file, and what lies under mounts is there.
func (w *world) checkUntouched(t *testing.T, headers map[string]*tar.Header, contents map[string]string) {
	t.Helper()
	if got := contents["./etc/hostname"]; got != w.exec(t, "cat", "/etc/hostname") {
		t.Errorf("the host name in the stream is %q", got)
	}
	if h := headers["./proc/"]; h == nil || h.Uid != 0 {
		t.Errorf("/proc is %+v", h)
	}
	for name := range headers {
		if strings.HasPrefix(name, "./proc/") && name != "./proc/" {
			t.Errorf("%s is in the stream", name)
		}
	}
}

type refuser struct {
	left int
	err  error
}

func (r *refuser) Write(p []byte) (int, error) {
	if r.left -= len(p); r.left < 0 {
		return 0, r.err
	}
	return len(p), nil
}

func unpack(t *testing.T, r io.Reader) (headers map[string]*tar.Header, contents map[string]string) {
	t.Helper()
	headers, contents = map[string]*tar.Header{}, map[string]string{}
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return headers, contents
		}
		ok(t, err)
		headers[h.Name] = h
		if h.Size < 1<<10 {
			content, err := io.ReadAll(archive)
			ok(t, err)
			contents[h.Name] = string(content)
		}
	}
}

func checkOdd(t *testing.T, headers map[string]*tar.Header, contents map[string]string) {
	t.Helper()
	const odd = "./srv/odd/"
	for name, want := range map[string]string{
		"-rf": "dash", "new\nline": "n", "\xff\xfe": "bytes", "ö ü": "utf", strings.Repeat("l", 255): "long",
		strings.Repeat(strings.Repeat("d", 100)+"/", 4) + "leaf": "deep", "subvolume/inside": "in", "acl": "x",
	} {
		if contents[odd+name] != want {
			t.Errorf("%q has %q", name, contents[odd+name])
		}
	}
	if headers[odd+"late"] != nil {
		t.Error("a file that was made after the snapshot is there")
	}
	// The first of two links, by name, has the content.
	plain, twin := headers[odd+"plain"], headers[odd+"twin"]
	if plain == nil || plain.Uid != 33 || plain.Gid != 44 || plain.Mode&0o7777 != 0o4750 || plain.ModTime.Unix() != 1600000000 || contents[odd+"plain"] != "text" {
		t.Errorf("plain is %+v", plain)
	}
	if twin == nil || twin.Typeflag != tar.TypeLink || twin.Linkname != odd+"plain" {
		t.Errorf("twin is %+v", twin)
	}
	if h := headers[odd+"link"]; h == nil || h.Typeflag != tar.TypeSymlink || h.Linkname != "/nowhere/at all" {
		t.Errorf("link is %+v", h)
	}
	if h := headers[odd+"pipe"]; h == nil || h.Typeflag != tar.TypeFifo {
		t.Errorf("pipe is %+v", h)
	}
	if h := headers[odd+"sparse"]; h == nil || h.Size != 8<<20+3 {
		t.Errorf("sparse is %+v", h)
	}
	if h := headers["./dev/null"]; h == nil || h.Typeflag != tar.TypeChar {
		t.Errorf("/dev/null is %+v", h)
	}
	for name, key := range map[string]string{
		"xattr": "SCHILY.xattr.user.note", "caps": "SCHILY.xattr.security.capability", "acl": "SCHILY.acl.access",
	} {
		if h := headers[odd+name]; h == nil || h.PAXRecords[key] == "" {
			t.Errorf("%s has no %s: %+v", name, key, h)
		}
	}
	if got := headers[odd+"xattr"].PAXRecords["SCHILY.xattr.user.note"]; got != "a\x00b" {
		t.Errorf("the extended attribute is %q", got)
	}
}

// compare compares a list with the stream's headers.
func compare(t *testing.T, list []fleet.FileInfo, headers map[string]*tar.Header) {
	t.Helper()
	byPath := map[string]*tar.Header{}
	for name, h := range headers {
		byPath["/"+strings.Trim(strings.TrimPrefix(name, "./"), "/")] = h
	}
	if len(list) != len(headers)-1 {
		t.Errorf("%d files in the list, %d in the stream", len(list), len(headers)-1)
	}
	for _, f := range list {
		h := byPath[f.Path]
		if h == nil {
			t.Errorf("%q is not in the stream", f.Path)
			continue
		}
		bad := f.UID != int64(h.Uid) || f.GID != int64(h.Gid) || int64(f.Mode) != h.Mode&0o7777 || f.ModTime.Unix() != h.ModTime.Unix()
		switch h.Typeflag {
		case tar.TypeReg:
			bad = bad || f.Type != fleet.FileRegular || int64(f.Size) != h.Size
		case tar.TypeSymlink:
			bad = bad || f.Type != fleet.FileSymlink || f.Target != h.Linkname
		case tar.TypeDir:
			bad = bad || f.Type != fleet.FileFolder
		}
		if bad {
			t.Errorf("%+v is not %+v", f, h)
		}
	}
}

func TestBusybox(t *testing.T) {
	var image bytes.Buffer
	ok(t, tiny.Write(&image, "reader"))
	w := newWorld(t, "lxdfleet-test-reader-busybox", &image)
	w.exec(t, "sh", "-c", `mkdir /srv && cd /srv && echo text >a && ln a b && ln -s /nowhere c && chown 33:44 a &&
		n=$(printf '%0200d' 0) && mkdir $n && echo deep >$n/$n`)
	ok(t, w.lxd.EnsureSnapshot(t.Context(), w.instance, "first"))
	r := w.open(t)
	if r.Lacks() == "" {
		t.Error("busybox' tar is said to hold all")
	}
	var archive bytes.Buffer
	ok(t, r.Tar(t.Context(), &archive))
	headers, contents := unpack(t, &archive)
	long := fmt.Sprintf("%0200d", 0)
	if contents["./srv/a"] != "text\n" || contents["./srv/"+long+"/"+long] != "deep\n" || headers["./srv/b"].Typeflag != tar.TypeLink ||
		headers["./srv/a"].Uid != 33 || headers["./srv/c"].Linkname != "/nowhere" {
		t.Errorf("files are %v", contents)
	}
	list, err := r.List(t.Context())
	ok(t, err)
	compare(t, list, headers)
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
