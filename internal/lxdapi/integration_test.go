//go:build integration

package lxdapi_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdcontract"
)

// TestContract runs the contract over LXD's socket, what depends on it over HTTPS too, and then what
// harms the cluster: a full pool is not empty again at once.
func TestContract(t *testing.T) {
	t.Run("well", func(t *testing.T) {
		t.Run("socket", func(t *testing.T) {
			t.Parallel()
			lxdcontract.Run(t, func(t *testing.T) lxdcontract.Subject { return cluster(t, "lxdfleet-test-contract") })
		})
		t.Run("HTTPS", func(t *testing.T) {
			t.Parallel()
			testHTTPS(t)
		})
	})
	t.Run("link", testLink)
	t.Run("transfers", testTransferFaults)
	t.Run("faults", func(t *testing.T) {
		lxdcontract.RunFaults(t, func(t *testing.T) lxdcontract.Subject { return cluster(t, "lxdfleet-test-faults") },
			devcluster{project: "lxdfleet-test-faults"})
	})
}

// testLink links two LXD projects as if they were on clusters of their own, over the socket of one
// member and the address of another.
func testLink(t *testing.T) {
	from, to := cluster(t, "lxdfleet-test-link1"), cluster(t, "lxdfleet-test-link2")
	source := connect(t, lxdapi.Options{Project: from.Project})
	target := connect(t, overHTTPS(t, to.Project))
	from.LXD, to.LXD = source, target
	lxdcontract.RunLink(t, from, to, lxdapi.Link{Source: source, Target: target})
}

// cluster is the development cluster in an LXD project of our own.
func cluster(t *testing.T, project string) lxdcontract.Subject {
	t.Helper()
	dir := os.Getenv("LXD_DIR")
	if dir == "" {
		t.Fatal(`LXD_DIR is not set: run "scripts/devcluster up" and eval "$(scripts/devcluster env)"`)
	}
	client := connect(t, lxdapi.Options{Project: project})
	s := lxdcontract.Subject{
		LXD: client, Project: project, Devices: defaultDevices(t),
		Image:    func(t *testing.T) io.ReadCloser { return ownImage(t, project) },
		Operator: lxc{project},
	}
	removeLeft(t, client)
	return s
}

func connect(t *testing.T, o lxdapi.Options) *lxdapi.Client {
	t.Helper()
	client, err := lxdapi.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// removeLeft removes what a killed run left in the project.
func removeLeft(t *testing.T, client *lxdapi.Client) {
	t.Helper()
	instances, err := client.Instances(t.Context(), false)
	if fleet.CodeOf(err) == fleet.NotFound {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range instances {
		if err := client.EnsureDeleted(t.Context(), i.Name); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.DeleteProject(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// defaultDevices are those of the default project's default profile.
func defaultDevices(t *testing.T) map[string]map[string]string {
	t.Helper()
	profiles, err := connect(t, lxdapi.Options{Project: "default"}).Profiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range profiles {
		if p.Name == "default" && len(p.Devices) > 0 {
			return p.Devices
		}
	}
	t.Fatal("the default profile of the default project has no devices: is the development cluster up?")
	return nil
}

func baseImage(t *testing.T) string {
	t.Helper()
	path := cmp.Or(os.Getenv("LXDFLEET_BASE_IMAGE"), "/var/cache/lxdfleet/base-bookworm-amd64.tar.gz")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no base image: %v. Run scripts/make-base-image, or name one by LXDFLEET_BASE_IMAGE", err)
	}
	return path
}

// ownImage is the base image with a fingerprint of the project's own. LXD 5.0 keeps one file for
// all projects that have an image, and a project that deletes its own while another takes it in
// takes the file along.
func ownImage(t *testing.T, project string) io.ReadCloser {
	t.Helper()
	var mark bytes.Buffer
	z := gzip.NewWriter(&mark) // files in this format may be put one behind the other
	z.Comment = project
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	file := open(t, baseImage(t))
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(file, &mark), file}
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// lxc is an operator at the command line.
type lxc struct{ project string }

func (o lxc) run(args ...string) error {
	_, err := o.output(args...)
	return err
}

func (o lxc) output(args ...string) ([]byte, error) {
	cmd := exec.Command("lxc", append([]string{"--project", o.project}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("lxc %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return out, nil
}

func (o lxc) Create(name, fingerprint string) error { return o.run("init", fingerprint, name) }
func (o lxc) Start(name string) error               { return o.run("start", name) }
func (o lxc) Stop(name string) error                { return o.run("stop", name) }
func (o lxc) Restart(name string) error             { return o.run("restart", name) }
func (o lxc) Rename(from, to string) error          { return o.run("rename", from, to) }
func (o lxc) Delete(name string) error              { return o.run("delete", "--force", name) }
func (o lxc) SetConfig(name, key, value string) error {
	return o.run("config", "set", name, key, value)
}

// devcluster does harm to the development cluster.
type devcluster struct{ project string }

func (devcluster) command(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join("..", "..", "scripts", "devcluster"), args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("devcluster %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (d devcluster) Kill(t *testing.T, member string) {
	t.Helper()
	d.command(t, "kill-member", member)
	d.waitStatus(t, member, "Offline")
}

func (d devcluster) Revive(t *testing.T, member string) {
	t.Helper()
	d.command(t, "start-member", member)
	d.waitStatus(t, member, "Online")
}

func (devcluster) Restart(t *testing.T, down func()) {
	t.Helper()
	d := devcluster{}
	d.command(t, "kill-member", "n1")
	down()
	d.command(t, "start-member", "n1")
	d.waitStatus(t, "n1", "Online")
}

func (devcluster) waitStatus(t *testing.T, member, want string) {
	t.Helper()
	var members []struct {
		Name   string `json:"server_name"`
		Status string `json:"status"`
	}
	for range 600 {
		out, err := exec.Command("lxc", "query", "/1.0/cluster/members?recursion=1").Output()
		if err == nil && json.Unmarshal(out, &members) == nil {
			for _, m := range members {
				if m.Name == member && m.Status == want {
					return
				}
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the member %s does not become %s: %+v", member, want, members)
}

// Fill fills the pool from within an instance.
func (d devcluster) Fill(t *testing.T, member string) {
	t.Helper()
	client := connect(t, lxdapi.Options{Project: d.project})
	images, err := client.Images(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	spec := fleet.CloneSpec{
		Name: "filler", Fingerprint: images[0].Fingerprint, Member: member, Profiles: []string{"default"},
		Config: map[string]string{fleet.KeyJob: "fill"},
	}
	for _, image := range images { // not the one published last: it is to be unpacked with the pool full
		if image.Properties["os"] == "contract" {
			spec.Fingerprint = image.Fingerprint
		}
	}
	t.Cleanup(func() {
		if err := client.EnsureDeleted(context.Background(), "filler"); err != nil {
			t.Error(err)
		}
	})
	if err := client.EnsureClone(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := client.EnsureStarted(t.Context(), "filler"); err != nil {
		t.Fatal(err)
	}
	// Reserve what there is in ever smaller pieces.
	_, err = client.Exec(t.Context(), "filler", fleet.ExecSpec{Command: []string{"sh", "-c", `
		for size in 4G 1G 256M 64M 16M 4M 1M; do
			n=0; while [ $n -lt 64 ] && fallocate -l $size /root/fill.$size.$n; do n=$((n+1)); done
		done 2>/dev/null`}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMissing(t *testing.T) {
	server, err := connect(t, lxdapi.Options{Project: "default"}).Server(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if missing := lxdapi.Missing(server); len(missing) > 0 {
		t.Errorf("LXD %s lacks %v", server.Version, missing)
	}
}

func TestImportOfRubbish(t *testing.T) {
	s := cluster(t, "lxdfleet-test-rubbish")
	if _, err := s.LXD.EnsureProject(t.Context(), fleet.ProjectSpec{Name: s.Project}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.LXD.DeleteProject(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.LXD.EnsureImported(t.Context(), strings.NewReader("not an image"), nil, nil); fleet.CodeOf(err) != fleet.Failed {
		t.Errorf("error is %v", err)
	}
}

// overHTTPS are the options for a connection to the last member.
func overHTTPS(t *testing.T, project string) lxdapi.Options {
	t.Helper()
	need := func(key string) string {
		value := os.Getenv(key)
		if value == "" {
			t.Fatalf(`%s is not set: eval "$(scripts/devcluster env)"`, key)
		}
		return value
	}
	addresses := strings.Fields(need("DEVCLUSTER_ADDRESSES"))
	return lxdapi.Options{
		URL: addresses[len(addresses)-1], Project: project,
		ClientCert: need("DEVCLUSTER_CERT"), ClientKey: need("DEVCLUSTER_KEY"), ServerCert: need("DEVCLUSTER_SERVER_CERT"),
	}
}

// testHTTPS: the same client over HTTPS with certificates, connected to another member.
func testHTTPS(t *testing.T) {
	t.Helper()
	o := overHTTPS(t, "lxdfleet-test-https")
	lxdcontract.RunOnTheWire(t, func(t *testing.T) lxdcontract.Subject {
		s := cluster(t, o.Project)
		s.LXD = connect(t, o)
		return s
	})
	for _, c := range []struct {
		name string
		edit func(*lxdapi.Options)
		want fleet.Code
	}{
		{"no client certificate", func(o *lxdapi.Options) { o.ClientCert, o.ClientKey = "", "" }, fleet.Forbidden},
		{"no server certificate", func(o *lxdapi.Options) { o.ServerCert = "" }, fleet.Invalid},
		{"another server's certificate", func(o *lxdapi.Options) { o.ServerCert = o.ClientCert }, fleet.Invalid},
		{"a missing file", func(o *lxdapi.Options) { o.ClientKey = "/nowhere/client.key" }, fleet.Invalid},
		{"nobody there", func(o *lxdapi.Options) { o.URL = "https://127.0.0.1:9" }, fleet.Unavailable},
	} {
		bad := o
		c.edit(&bad)
		client, err := lxdapi.Connect(t.Context(), bad)
		if got := fleet.CodeOf(err); got != c.want {
			t.Errorf("%s: error is %q: %v, want %q", c.name, got, err, c.want)
		}
		if client != nil {
			client.Close()
		}
	}
}
