//go:build integration

package repository

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/lxdfleet/lxdfleet/integration/s3server"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/s3"
)

func bucketOptions(t *testing.T, cfg s3.Config) Options {
	return Options{Location: "s3://" + cfg.Bucket + "/fleet", S3: cfg, Passphrase: passphrase, CacheDir: filepath.Join(t.TempDir(), "cache")}
}

func initBucket(t *testing.T, cfg s3.Config) *Repository {
	t.Helper()
	r, err := Init(t.Context(), bucketOptions(t, cfg), Lock{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close(context.Background()) })
	return r
}

func openBucketOf(t *testing.T, cfg s3.Config) *Repository {
	t.Helper()
	r, err := Open(t.Context(), bucketOptions(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close(context.Background()) })
	return r
}

// many is a stream of some files, large and small.
func many(t *testing.T, seed uint64, small int, large int) []byte {
	var all entries
	for i := range small {
		all = append(all, entries{{Header: tar.Header{Name: fmt.Sprintf("./small/%d/%d", i%7, i)}, content: random(seed+uint64(i), 1000+i*13)}}...)
	}
	all = append(all, entries{{Header: tar.Header{Name: "./large"}, content: random(seed+1<<15, large)}}...)
	return archive(t, all)
}

// Two daemons with one bucket see each other's backups; what one has uploaded, the other does
// not; and a new passphrase is needed by both.
func TestBucketOfTwo(t *testing.T) {
	cfg := s3server.Start(t).Bucket()
	one := initBucket(t, cfg)
	two := openBucketOf(t, cfg)
	stream := many(t, 1, 300, 20<<20)
	s := mustWrite(t, one, meta(t), stream)
	if got := mustRead(t, two, s.ID); !bytes.Equal(got, stream) {
		t.Error("not the same")
	}
	if again := mustWrite(t, two, Meta{Tenant: "other", TakenAt: someTime}, stream); again.Moved > s.Size/100 {
		t.Errorf("%d bytes were moved that are there", again.Moved)
	}
	if all, err := one.List(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("listed: %v, %v", all, err)
	}
	for _, quick := range []bool{true, false} {
		if found, err := two.Verify(t.Context(), VerifyOptions{Quick: quick}, nil); err != nil || len(found) > 0 {
			t.Errorf("verify: %v, %v", found, err)
		}
	}
	if err := two.Delete(t.Context(), s.ID); err != nil {
		t.Error(err)
	}
	if _, err := one.Get(t.Context(), s.ID); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("a backup that the other deleted: %v", err)
	}
	pruned := make(chan error, 2)
	for _, r := range []*Repository{one, two} {
		go func() {
			_, err := r.Prune(t.Context(), nil)
			pruned <- err
		}()
	}
	for range 2 {
		if err := <-pruned; err != nil {
			t.Errorf("prune: %v", err)
		}
	}
	if err := one.Rotate(t.Context(), "new"); err != nil {
		t.Fatal(err)
	}
	if err := two.Rotate(t.Context(), "newer"); fleet.CodeOf(err) != fleet.Forbidden {
		t.Errorf("changed by one who did not know of the change: %v", err)
	}
	if st, err := one.Stats(t.Context()); err != nil || st.Backups != 1 || st.Used < 20<<20 || st.Unique < 20<<20 {
		t.Errorf("stats: %+v, %v", st, err)
	}
}

// A line that is cut in the middle of a pack, again and again, ends no backup.
func TestCut(t *testing.T) {
	server := s3server.Start(t)
	cfg := server.Bucket()
	l := newLine(t, server.Addr())
	cfg.Endpoint = l.url()
	r := initBucket(t, cfg)
	stream := many(t, 100, 50, 60<<20)
	in := &every{r: bytes.NewReader(stream), n: 9 << 20, do: func() { l.cutAfter.Store(3 << 20) }}
	s, err := r.Write(t.Context(), meta(t), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if l.cuts.Load() < 2 {
		t.Errorf("the line was cut %d times", l.cuts.Load())
	}
	out := &every{r: nil, n: 9 << 20, do: l.cut}
	var back bytes.Buffer
	if err := r.Read(t.Context(), s.ID, io.MultiWriter(&back, out), nil); err != nil || !bytes.Equal(back.Bytes(), stream) {
		t.Errorf("not the same: %v", err)
	}
}

// every does something after each n bytes.
type every struct {
	r       io.Reader
	n, left int64
	do      func()
}

func (e *every) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	_, _ = e.Write(p[:n])
	return n, err
}

func (e *every) Write(p []byte) (int, error) {
	if e.left -= int64(len(p)); e.left < 0 {
		e.left = e.n
		e.do()
	}
	return len(p), nil
}

// A server that goes away ends the backup after a while, with a clear error; what it had got is
// used when it is back.
func TestGone(t *testing.T) {
	server := s3server.Start(t)
	cfg := server.Bucket()
	l := newLine(t, server.Addr())
	cfg.Endpoint = l.url()
	r := initBucket(t, cfg)
	r.bucket.patience = time.Second
	r.flush = 1 << 20
	stream := many(t, 200, 50, 64<<20)
	in := &every{r: bytes.NewReader(stream), n: 48 << 20, left: 48 << 20, do: func() { l.down.Store(true); l.cut() }}
	if _, err := r.Write(t.Context(), meta(t), in, nil); fleet.CodeOf(err) != fleet.Unavailable || strings.Contains(err.Error(), "secret") {
		t.Fatalf("%v", err)
	}
	if _, err := Open(t.Context(), r.options); fleet.CodeOf(err) != fleet.Unavailable {
		t.Errorf("open: %v", err)
	}
	l.down.Store(false)
	if all, err := r.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("there is something: %v, %v", all, err)
	}
	s := mustWrite(t, r, meta(t), stream)
	if s.Moved > 50<<20 {
		t.Errorf("%d bytes were moved", s.Moved)
	}
	if got := mustRead(t, r, s.ID); !bytes.Equal(got, stream) {
		t.Error("not the same")
	}
}

// A slow line is waited for.
func TestSlow(t *testing.T) {
	server := s3server.Start(t)
	cfg := server.Bucket()
	l := newLine(t, server.Addr())
	cfg.Endpoint = l.url()
	r := initBucket(t, cfg)
	l.slow.Store(int64(10 * time.Millisecond))
	stream := many(t, 300, 5, 20<<20)
	s := mustWrite(t, r, meta(t), stream)
	if got := mustRead(t, r, s.ID); !bytes.Equal(got, stream) {
		t.Error("not the same")
	}
}

// Uploads are no faster than they may be.
func TestLimit(t *testing.T) {
	o := bucketOptions(t, s3server.Start(t).Bucket())
	o.Limits.UploadBytesPerSecond = 8 << 20
	r, err := Init(t.Context(), o, Lock{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	began := time.Now()
	s := mustWrite(t, r, meta(t), many(t, 400, 5, 24<<20))
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("%d bytes took %s", s.Moved, took)
	}
}

func TestRefused(t *testing.T) {
	server := s3server.Start(t)
	cfg := server.Bucket()
	initBucket(t, cfg)
	for name, tc := range map[string]struct {
		change func(*Options)
		code   fleet.Code
		field  string
	}{
		"wrong passphrase": {func(o *Options) { o.Passphrase = "hush, wrong" }, fleet.Forbidden, "passphrase"},
		"wrong secret":     {func(o *Options) { o.S3.SecretKey = "hush, wrong" }, fleet.Forbidden, ""},
		"wrong key":        {func(o *Options) { o.S3.AccessKey = "nobody" }, fleet.Forbidden, ""},
		"no bucket":        {func(o *Options) { o.Location = "s3://nothing" }, fleet.NotFound, "bucket"},
		"no repository":    {func(o *Options) { o.Location += "/else" }, fleet.NotFound, "location"},
		"no server":        {func(o *Options) { o.S3.Endpoint = "http://127.0.0.1:1" }, fleet.Unavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := bucketOptions(t, cfg)
			tc.change(&o)
			_, err := Open(t.Context(), o)
			e, ok := errors.AsType[*fleet.Error](err)
			if !ok || e.Code != tc.code || e.Field != tc.field || e.Hint == "" || strings.Contains(err.Error(), "hush") {
				t.Errorf("%v", err)
			}
		})
	}
}

// What is somebody else's is left alone.
func TestSomebodyElses(t *testing.T) {
	cfg := s3server.Start(t).Bucket()
	b, err := s3.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string) {
		if _, err := b.Client().PutObject(t.Context(), cfg.Bucket, name, strings.NewReader("theirs"), 6, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put("fleet/photo.jpg")
	if _, err := Init(t.Context(), bucketOptions(t, cfg), Lock{}); fleet.CodeOf(err) != fleet.Taken || !strings.Contains(err.Error(), "photo.jpg") {
		t.Errorf("%v", err)
	}
	if err := b.Client().RemoveObject(t.Context(), cfg.Bucket, "fleet/photo.jpg", minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	put("elsewhere/photo.jpg") // beside the prefix
	put("fleet/kopia.blobcfg") // of an init that was killed
	initBucket(t, cfg)
	if _, err := Init(t.Context(), bucketOptions(t, cfg), Lock{}); fleet.CodeOf(err) != fleet.Taken {
		t.Errorf("a second time: %v", err)
	}
}

// A server whose disk is full says so at once.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m", "lxdfleet-test", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	cfg := s3server.StartIn(t, dir).Bucket()
	r := initBucket(t, cfg)
	fits := many(t, 500, 5, 2<<20)
	s := mustWrite(t, r, meta(t), fits)
	began := time.Now()
	_, err := r.Write(t.Context(), Meta{Tenant: "large", TakenAt: someTime}, bytes.NewReader(many(t, 501, 5, 60<<20)), nil)
	if fleet.CodeOf(err) != fleet.Exhausted || time.Since(began) > time.Minute {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	if got := mustRead(t, r, s.ID); !bytes.Equal(got, fits) {
		t.Error("what was there is not the same")
	}
}

// A process that is killed while it writes leaves nothing to be seen, its lock is taken over, and
// what it uploaded is used. Two processes at once are no matter.
func TestKilled(t *testing.T) {
	cfg := s3server.Start(t).Bucket()
	r := initBucket(t, cfg)
	r.lease = 2 * time.Second
	o := bucketOptions(t, cfg)
	child := exec.Command(os.Args[0], "-test.run", "^TestChild$")
	child.Env = append(os.Environ(), "REPOSITORY_CHILD="+cfg.Endpoint+" "+cfg.Bucket+" "+o.CacheDir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill() }()
	said := make([]byte, 4)
	if _, err := io.ReadFull(out, said); err != nil || string(said) != "now\n" {
		t.Fatalf("the child said %q: %v", said, err)
	}
	other := mustWrite(t, r, Meta{Tenant: "beside", TakenAt: someTime}, many(t, 600, 20, 1<<20)) // while it writes
	// How much of it can be found by then depends on how its threads took turns.
	var found Stats
	for until := time.Now().Add(time.Minute); found.Unique < 20<<20; time.Sleep(100 * time.Millisecond) {
		if found, err = r.Stats(t.Context()); err != nil || time.Now().After(until) {
			t.Fatalf("%d bytes can be found: %v", found.Unique, err)
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	all, err := r.List(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != other.ID {
		t.Errorf("there: %v, %v", all, err)
	}
	began := time.Now()
	if _, err := r.Prune(t.Context(), nil); err != nil {
		t.Errorf("prune, with the lock of one who was killed: %v", err)
	}
	t.Logf("the lock was taken over after %s", time.Since(began))
	stream := childStream(t)
	// The other backup's mebibyte is among what was found.
	if s, most := mustWrite(t, r, meta(t), stream), int64(len(stream))-found.Unique+2<<20; s.Moved > most {
		t.Errorf("%d bytes were moved, not %d at most", s.Moved, most)
	}
	if damage, err := r.Verify(t.Context(), VerifyOptions{}, nil); err != nil || len(damage) > 0 {
		t.Errorf("verify: %v, %v", damage, err)
	}
}

func childStream(t *testing.T) []byte { return many(t, 700, 20, 64<<20) }

// TestChild is the process that is killed: it does its work when it is told where.
func TestChild(t *testing.T) {
	at := strings.Fields(os.Getenv("REPOSITORY_CHILD"))
	if len(at) != 3 {
		return
	}
	r, err := Open(t.Context(), Options{
		Location: "s3://" + at[1] + "/fleet", Passphrase: passphrase, CacheDir: at[2],
		S3: s3.Config{Endpoint: at[0], Region: "us-east-1", AccessKey: "access", SecretKey: "secret", PathStyle: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.bucket.Lock(t.Context(), lockObject, 2*time.Second); err != nil {
		t.Fatal(err)
	}
	r.flush = 1 << 20
	stream := childStream(t)
	_, err = r.Write(t.Context(), meta(t), io.MultiReader(bytes.NewReader(stream[:56<<20]), &forever{}), nil)
	t.Errorf("it ended: %v", err)
}

// forever tells the parent, and never ends.
type forever struct{}

func (*forever) Read([]byte) (int, error) {
	fmt.Println("now")
	select {}
}
