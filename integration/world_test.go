//go:build integration

package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/tiny"
	"github.com/lxdfleet/lxdfleet/internal/pace"
)

// binary is lxdfleet, built with the tag faults.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv("LXD_DIR") == "" {
		fmt.Fprintln(os.Stderr, "integration: no LXD cluster: run `make integration`, or scripts/devcluster up and eval its env")
		return 1
	}
	dir, err := os.MkdirTemp("", "lxdfleet-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if binary, err = program(dir, "lxdfleet", "-tags", "faults", "../cmd/lxdfleet"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// program builds a program into dir, with arguments of `go build`, and gives its path. On a machine
// without Go, LXDFLEET_TEST_PROGRAMS is the folder that has it already.
func program(dir, name string, args ...string) (string, error) {
	if made := os.Getenv("LXDFLEET_TEST_PROGRAMS"); made != "" {
		return filepath.Join(made, name), nil
	}
	path := filepath.Join(dir, name)
	build := exec.Command("go", append([]string{"build", "-o", path}, args...)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return path, nil
}

// tinyImage writes the tiny image and gives its path. No two worlds and no two marks share a
// fingerprint: LXD 5.0 keeps one file for all projects that have an image, and a project that
// deletes its own while another takes it in takes the file along.
func (w *world) tinyImage(mark string) string {
	w.t.Helper()
	return w.image(mark, func(file io.Writer) error { return tiny.Write(file, w.project+" "+mark) })
}

// siteImage is a tiny image whose web server is the program site.
func (w *world) siteImage(mark string) string {
	w.t.Helper()
	path, err := program(w.dir, "site", "./site")
	if err != nil {
		w.t.Fatal(err)
	}
	server, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.image(mark, func(file io.Writer) error { return tiny.WriteSite(file, w.project+" "+mark, server) })
}

func (w *world) image(mark string, write func(io.Writer) error) string {
	w.t.Helper()
	name := filepath.Join(w.dir, mark+".tar.gz")
	file, err := os.Create(name)
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	if err := write(file); err != nil {
		w.t.Fatal(err)
	}
	return name
}

// world is an LXD project of its own with a daemon that drives it.
type world struct {
	t           *testing.T
	dir         string
	project     string
	http, https int
	network     string            // LXD's, that the tenants are on
	settings    map[string]string // additional lines of the configuration file, by section
	daemon      *process
}

var worlds atomic.Int64

// newWorld prepares a project; the daemon is not started. When the test ends everything in
// the project is removed. A failed test shows the daemon's log.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, dir: t.TempDir(), project: fmt.Sprintf("it-%d-%d", os.Getpid(), worlds.Add(1)),
		http: freePort(t), https: freePort(t), network: "br0", settings: map[string]string{},
	}
	t.Cleanup(w.remove)
	return w
}

// up is the usual beginning: set up LXD, start the daemon, take in the tiny image.
func (w *world) up(env ...string) {
	w.t.Helper()
	w.writeConfig()
	w.must("init")
	w.start(env...)
	w.must("image", "import", w.tinyImage("tiny"), "tiny/1")
}

func (w *world) configFile() string { return filepath.Join(w.dir, "lxdfleet.yaml") }

func (w *world) socket() string { return filepath.Join(w.dir, "lxdfleet.sock") }

func (w *world) writeConfig() {
	w.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "data_dir: %s/data\nsocket:\n  path: %s\n", w.dir, w.socket())
	sections := map[string]string{
		"lxd":     fmt.Sprintf("  project: %s\n  socket: %s/unix.socket\n  network: %s\n", w.project, os.Getenv("LXD_DIR"), w.network),
		"proxy":   fmt.Sprintf("  http: \"127.0.0.1:%d\"\n  https: \"127.0.0.1:%d\"\n", w.http, w.https),
		"tenants": "  base_domain: example.test\n",
		"metrics": "  listen: \"off\"\n",
	}
	for name, lines := range w.settings {
		sections[name] += lines
	}
	for name, lines := range sections {
		fmt.Fprintf(&b, "%s:\n%s", name, lines)
	}
	if err := os.WriteFile(w.configFile(), []byte(b.String()), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// cli runs the lxdfleet command and gives what it printed and its exit code.
func (w *world) cli(args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), binary, append([]string{"--config", w.configFile()}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		w.t.Fatalf("lxdfleet %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must runs the lxdfleet command and fails the test where it fails.
func (w *world) must(args ...string) string {
	w.t.Helper()
	out, errs, code := w.cli(args...)
	if code != 0 {
		w.t.Fatalf("lxdfleet %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// lxc runs LXD's own command in the project, as an operator would.
func (w *world) lxc(args ...string) string {
	w.t.Helper()
	out, err := lxc(append([]string{"--project", w.project}, args...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func lxc(args ...string) (string, error) { return lxcWith("", args...) }

// lxcWith runs LXD's own command with an input. Its exec (5.0) now and then waits for ever for a
// command that has long ended, on a busy machine one in a thousand: what takes this long is tried
// once more, so commands are such that may be run twice.
func lxcWith(input string, args ...string) (string, error) {
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeout(context.Background(), pace.Of(2*time.Minute))
		cmd := exec.CommandContext(ctx, "lxc", args...)
		cmd.WaitDelay = time.Second
		if input != "" {
			cmd.Stdin = strings.NewReader(input)
		}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		late := ctx.Err() != nil
		cancel()
		switch {
		case err == nil:
			return out.String(), nil
		case !late || try > 1:
			return out.String(), fmt.Errorf("lxc %s: %w: %s", strings.Join(args, " "), err, errs.String())
		}
	}
}

// instances lists the names of all instances in the project, lxdfleet's own included.
func (w *world) instances() []string { return strings.Fields(w.lxc("list", "-f", "csv", "-c", "n")) }

func (w *world) remove() {
	if w.daemon != nil {
		w.daemon.stop()
		if w.t.Failed() {
			w.t.Logf("the daemon's log:\n%s", w.daemon.log.tail(200))
		}
	}
	// The cluster may have lost a member in the test: try for a while, then say what is left.
	// LXD on a busy pool takes longer for a stop, too, than it waits for itself.
	err := w.removeProject()
	for deadline := time.Now().Add(2 * time.Minute); err != nil && time.Now().Before(deadline); err = w.removeProject() {
		time.Sleep(2 * time.Second)
	}
	if err != nil {
		w.t.Errorf("clean up project %s: %v", w.project, err)
	}
}

func (w *world) removeProject() error {
	if _, err := lxc("project", "show", w.project); err != nil {
		return nil
	}
	for _, kind := range []struct {
		list, remove []string
	}{
		{[]string{"list", "-f", "csv", "-c", "n"}, []string{"delete", "--force"}},
		{[]string{"image", "list", "-f", "csv", "-c", "F"}, []string{"image", "delete"}},
		{[]string{"profile", "list", "-f", "csv"}, []string{"profile", "delete"}},
	} {
		out, err := lxc(append([]string{"--project", w.project}, kind.list...)...)
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), ",")
			if name == "" || name == "default" {
				continue
			}
			if _, err := lxc(append(append([]string{"--project", w.project}, kind.remove...), name)...); err != nil {
				return err
			}
		}
	}
	_, err := lxc("project", "delete", w.project)
	return err
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// dropStore throws the daemon's database away, as a lost disk would; it must not run.
func (w *world) dropStore() {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "data", "lxdfleet.db*"))
	if err != nil || len(files) == 0 {
		w.t.Fatalf("no database in %s: %v", w.dir, err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			w.t.Fatal(err)
		}
	}
}
