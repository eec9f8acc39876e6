package accesslog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// waitFor waits until it is so, far longer than it takes.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// messages is the daemon's own log.
type messages struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (m *messages) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.buf.Write(p)
}

func (m *messages) String() string { m.mu.Lock(); defer m.mu.Unlock(); return m.buf.String() }

// start opens a log that ends with the test.
func start(t *testing.T, cfg Config) *Log {
	t.Helper()
	if cfg.Every == 0 {
		cfg.Every = 5 * time.Millisecond
	}
	if cfg.Sample == 0 {
		cfg.Sample = 1
	}
	l := Open(cfg)
	t.Cleanup(func() { finish(t, l) })
	return l
}

func finish(t *testing.T, l *Log) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		t.Error(err)
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(data)
}

// paths gives the path of each line, and fails where one is no line of JSON.
func paths(t *testing.T, data string) (all []string) {
	t.Helper()
	for line := range strings.Lines(data) {
		var e struct{ Path string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("%v: %q", err, line)
		}
		all = append(all, e.Path)
	}
	return all
}

func entry(i int) *Entry { return &Entry{Path: fmt.Sprintf("/%d", i), Status: 200} }

func TestLogWritesEachSecondAndAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l := start(t, Config{Path: path})
	l.Record(entry(1))
	waitFor(t, "the line is written by itself", func() bool { return text(t, path) != "" })
	slow := Open(Config{Path: path, Every: time.Hour, Sample: 1})
	for i := range 10 {
		slow.Record(entry(i))
	}
	finish(t, slow)
	slow.Record(entry(99))
	if n := len(paths(t, text(t, path))); n != 11 || slow.Dropped() != 1 {
		t.Errorf("%d lines, %d dropped; want 11 and 1", n, slow.Dropped())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestLogWritesMuchAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l := start(t, Config{Path: path, Every: time.Hour})
	const writers, each = 8, 2000
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				l.Record(entry(w*each + i))
			}
		})
	}
	wg.Wait()
	finish(t, l)
	seen := make(map[string]bool)
	for _, p := range paths(t, text(t, path)) {
		seen[p] = true
	}
	if uint64(len(seen))+l.Dropped() != writers*each || len(seen) == 0 {
		t.Errorf("%d lines and %d dropped", len(seen), l.Dropped())
	}
}

func TestSample(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l := start(t, Config{Path: path, Sample: 1e-12})
	for range 1000 {
		l.Record(&Entry{Path: "/well", Status: 200})
		l.Record(&Entry{Path: "/left", Status: 499})
	}
	l.Record(&Entry{Path: "/bad", Status: 502})
	finish(t, l)
	if got := fmt.Sprint(paths(t, text(t, path))); got != "[/bad]" {
		t.Error(got)
	}
	if l.Dropped() != 0 {
		t.Errorf("what is not in the sample counts as dropped: %d", l.Dropped())
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	rename := func(to string) {
		if err := os.Rename(path, filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("by itself", func(t *testing.T) {
		l := start(t, Config{Path: path})
		l.Record(entry(1))
		waitFor(t, "the first file", func() bool { return text(t, path) != "" })
		rename("access.log.1")
		waitFor(t, "a new file", func() bool { _, err := os.Stat(path); return err == nil })
		l.Record(entry(2))
		finish(t, l)
		if got := fmt.Sprint(paths(t, text(t, path))); got != "[/2]" {
			t.Error(got)
		}
	})
	t.Run("at once", func(t *testing.T) {
		l := start(t, Config{Path: path, Every: time.Hour})
		l.Reopen()
		waitFor(t, "the file is open", func() bool { _, err := os.Stat(path); return err == nil })
		rename("access.log.2")
		l.Reopen()
		waitFor(t, "a new file", func() bool { _, err := os.Stat(path); return err == nil })
	})
}

func TestFullDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	if err := os.Symlink(full, path); err != nil {
		t.Fatal(err)
	}
	var said messages
	l := start(t, Config{Path: path, Buffer: 10_000, Log: slog.New(slog.NewTextHandler(&said, nil))})
	l.Record(entry(0))
	waitFor(t, "the daemon's log says so", func() bool { return strings.Contains(said.String(), "no space left") })
	for i := 1; l.Dropped() < 100; i++ {
		l.Record(entry(i)) // never waits, whatever the disk does
	}
	// Room again: what was kept is written, whole, the oldest first.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "it is written again", func() bool { return strings.Contains(said.String(), "written again") })
	finish(t, l)
	got := paths(t, text(t, path))
	if len(got) < 10 || got[0] != "/0" {
		t.Errorf("%d lines, %q", len(got), got[:min(3, len(got))])
	}
	if n := strings.Count(said.String(), "\n"); n != 2 {
		t.Errorf("the daemon's log has %d lines:\n%s", n, said.String())
	}
}

func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("nobody opens it", func(t *testing.T) {
		l := start(t, Config{Path: path, Buffer: 10_000})
		for i := 0; l.Dropped() < 100; i++ {
			l.Record(entry(i))
		}
	})
	t.Run("nobody reads it, then somebody does", func(t *testing.T) {
		reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		var said messages
		l := start(t, Config{Path: path, Buffer: 200_000, Log: slog.New(slog.NewTextHandler(&said, nil))})
		for i := 0; !strings.Contains(said.String(), "cannot be written"); i++ {
			l.Record(entry(i)) // more than a pipe holds
		}
		read := make(chan string)
		go func() {
			all, _ := io.ReadAll(reader)
			read <- string(all)
		}()
		waitFor(t, "it is written again", func() bool { return strings.Contains(said.String(), "written again") })
		finish(t, l)
		if got := paths(t, <-read); got[0] != "/0" {
			t.Errorf("it begins with %s", got[0])
		}
	})
	t.Run("its reader leaves in the middle of a line", func(t *testing.T) {
		first, err := os.OpenFile(path, os.O_RDWR, 0) // somebody who has it open and reads nothing
		if err != nil {
			t.Fatal(err)
		}
		var said messages
		l := start(t, Config{Path: path, Buffer: 200_000, Log: slog.New(slog.NewTextHandler(&said, nil))})
		for i := 0; !strings.Contains(said.String(), "cannot be written"); i++ {
			l.Record(entry(i))
		}
		if err := os.Rename(path, path+".old"); err != nil { // a file from now on
			t.Fatal(err)
		}
		waitFor(t, "it is written again", func() bool { return strings.Contains(said.String(), "written again") })
		first.Close()
		finish(t, l)
		paths(t, text(t, path)) // each line is whole
		if l.Dropped() == 0 {
			t.Error("the line that was torn is not counted")
		}
	})
}

func TestCannotBeOpened(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	path := filepath.Join(dir, "access.log")
	l := start(t, Config{Path: path})
	l.Record(entry(1))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the line is written once it can", func() bool { return text(t, path) != "" })
}

func TestOffIsNil(t *testing.T) {
	var l *Log
	l.Record(entry(1))
	l.Reopen()
	if err := l.Close(t.Context()); err != nil || l.Dropped() != 0 {
		t.Error(err)
	}
}

func TestStdout(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	was := os.Stdout
	os.Stdout = w
	l := Open(Config{Path: "stdout", Sample: 1, Every: 5 * time.Millisecond})
	l.Record(entry(1))
	line := make([]byte, 2000)
	n, err := r.Read(line)
	os.Stdout = was
	w.Close()
	finish(t, l)
	if err != nil || fmt.Sprint(paths(t, string(line[:n]))) != "[/1]" {
		t.Errorf("%v %q", err, line[:n])
	}
}

func BenchmarkRecord(b *testing.B) {
	l := Open(Config{Path: "/dev/null", Sample: 1})
	defer l.Close(context.Background())
	e := &Entry{
		Time: time.Now(), Tenant: "acme", Host: "www.acme.example", Method: "GET", Path: "/wp-content/themes/x/style.css", Proto: "HTTP/2.0",
		Status: 200, Out: 12345, Took: 12345 * time.Microsecond, FirstByte: 12 * time.Millisecond, Client: "192.0.2.77", Backend: "10.0.3.17:80",
		Tries: 1, Whole: true, RequestID: "0123456789abcdef0123456789abcdef",
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Record(e)
		}
	})
}
