//go:build integration

package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/s3server"
	"github.com/lxdfleet/lxdfleet/integration/tiny"
	"github.com/lxdfleet/lxdfleet/internal/backups"
	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/handover"
	"github.com/lxdfleet/lxdfleet/internal/s3"
	"github.com/lxdfleet/lxdfleet/internal/snapshots"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// site is a daemon on the real cluster, in an LXD project of its own, with its backups in a bucket.
type site struct {
	*App
	t   *testing.T
	cfg config.Config
	end func()
}

// newSite prepares LXD and starts a daemon that keeps its backups at a location, and reaches the
// bucket's server.
func newSite(t *testing.T, project string, bucket s3.Config, location string) *site {
	t.Helper()
	dir := t.TempDir()
	cfg := config.Default()
	cfg.DataDir, cfg.Socket.Path = filepath.Join(dir, "data"), filepath.Join(dir, "s")
	cfg.LXD.Network = "br0" // the cluster may have others, of people who develop on it
	cfg.LXD.Project, cfg.LXD.Socket = project, filepath.Join(os.Getenv("LXD_DIR"), "unix.socket")
	cfg.Proxy.HTTP, cfg.Proxy.HTTPS, cfg.Metrics.Listen = "", "", "off"
	cfg.Tenants.BaseDomain, cfg.Tenants.StopTimeout = "example.test", 2*time.Second
	cfg.Backups.Location = location
	secret := filepath.Join(dir, "secret")
	cfg.S3 = config.S3{Endpoint: bucket.Endpoint, Region: bucket.Region, AccessKey: bucket.AccessKey, SecretKeyFile: secret, PathStyle: true}
	must(t, os.WriteFile(secret, []byte(bucket.SecretKey), 0o600))
	must(t, os.MkdirAll(cfg.DataDir, 0o700))
	t.Cleanup(func() { emptied(t, project) })
	must(t, Init(t.Context(), cfg, io.Discard, false))
	w := &site{t: t, cfg: cfg}
	w.up()
	return w
}

// oneHandover is what a process can have one of.
var oneHandover = sync.OnceValues(func() (*handover.Sockets, error) { return handover.Open("") })

// up starts the daemon.
func (w *site) up() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	sockets, err := oneHandover()
	must(w.t, err)
	w.App, err = New(ctx, config.Settings{Config: w.cfg}, Options{Version: "test", Log: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Sockets: sockets})
	must(w.t, err)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stopped := false
	w.end = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the daemon ended: %v", err)
		}
	}
	w.t.Cleanup(w.end)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// emptied removes the project with all that is in it.
func emptied(t *testing.T, project string) {
	lxc := func(args ...string) string {
		out, err := exec.Command("lxc", append([]string{"--project", project}, args...)...).CombinedOutput()
		if err != nil {
			t.Logf("lxc %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	if exec.Command("lxc", "project", "show", project).Run() != nil {
		return
	}
	for _, kind := range [][2][]string{
		{{"list", "-f", "csv", "-c", "n"}, {"delete", "--force"}},
		{{"image", "list", "-f", "csv", "-c", "F"}, {"image", "delete"}},
		{{"profile", "list", "-f", "csv"}, {"profile", "delete"}},
	} {
		for line := range strings.Lines(lxc(kind[0]...)) {
			if name, _, _ := strings.Cut(strings.TrimSpace(line), ","); name != "" && name != "default" {
				lxc(append(slices.Clone(kind[1]), name)...)
			}
		}
	}
	if out, err := exec.Command("lxc", "project", "delete", project).CombinedOutput(); err != nil {
		t.Errorf("delete project %s: %v: %s", project, err, out)
	}
}

// done waits for a job that must end as done, and gives its output.
func (w *site) done(job fleet.Job, err error) string {
	w.t.Helper()
	return w.ends(fleet.JobDone, job, err)
}

func (w *site) ends(state fleet.JobState, job fleet.Job, err error) string {
	w.t.Helper()
	must(w.t, err)
	began := time.Now()
	job, err = w.engine.Wait(w.t.Context(), job.ID)
	must(w.t, err)
	events, err := w.store.JobEvents(w.t.Context(), job.ID, 0, 0)
	must(w.t, err)
	var out strings.Builder
	for _, e := range events {
		if e.Type == fleet.EventOutput {
			out.WriteString(e.Message)
		}
	}
	if job.State != state {
		w.t.Fatalf("job %s ended as %s: %s\n%s", job.Kind, job.State, job.Error, out.String())
	}
	w.t.Logf("%s: %s in %s: %s%s", job.Kind, job.State, time.Since(began).Round(10*time.Millisecond), job.Error, out.String())
	return out.String()
}

func (w *site) sh(instance, script string) string {
	w.t.Helper()
	var out strings.Builder
	exit, err := w.lxd.Exec(w.t.Context(), instance, fleet.ExecSpec{Command: []string{"sh", "-c", script}, Stdout: &out, Stderr: &out})
	if err != nil || exit != 0 {
		w.t.Fatalf("%s in %s: %v, exit %d: %s", script, instance, err, exit, out.String())
	}
	return strings.TrimSpace(out.String())
}

func (w *site) images() {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "tiny.tar.gz")
	f, err := os.Create(file)
	must(w.t, err)
	must(w.t, tiny.Write(f, w.cfg.LXD.Project))
	must(w.t, f.Close())
	w.done(w.App.images.Import(w.t.Context(), file, fleet.ImageRef{Name: "tiny", Version: "1"}, "", "", ""))
}

func (w *site) tenant(name string) {
	w.t.Helper()
	w.done(w.tenants.Create(w.t.Context(), tenants.CreateRequest{Name: name, Image: "tiny"}, tenants.Once{}))
}

// clean checks that nothing is in LXD but these instances, and the histories of tenants with snapshots
// that are listed.
func (w *site) clean(names ...string) {
	w.t.Helper()
	all, err := w.lxd.Instances(w.t.Context(), false)
	must(w.t, err)
	for _, inst := range all {
		if !slices.Contains(names, inst.Name) && inst.Config[fleet.KeyRole] != fleet.RoleHistory {
			w.t.Errorf("the instance %s is left", inst.Name)
		}
	}
	there, err := w.lxd.AllSnapshots(w.t.Context())
	must(w.t, err)
	for _, name := range names {
		listed, err := w.snapshots.List(w.t.Context(), fleet.Name(name))
		must(w.t, err)
		for _, n := range listed {
			from := cmp.Or(n.Instance, name)
			there[from] = slices.DeleteFunc(there[from], func(is fleet.InstanceSnapshot) bool { return is.Name == n.Name && n.Origin != fleet.OriginBackup })
		}
	}
	for name, list := range there {
		if len(list) > 0 {
			w.t.Errorf("snapshots of %s are left: %+v", name, list)
		}
	}
	images, err := w.lxd.Images(w.t.Context())
	must(w.t, err)
	for _, img := range images {
		if img.Properties[fleet.KeyJob] != "" {
			w.t.Errorf("the image %.12s is left", img.Fingerprint)
		}
	}
}

// goesOn checks that the snapshots of before a restore from a backup stay the tenant's, and can be
// gone back to; so can what the tenant was.
func (w *site) goesOn(name fleet.Name) {
	w.t.Helper()
	list, err := w.App.snapshots.List(w.t.Context(), name)
	must(w.t, err)
	if len(list) != 2 || list[0].Name != "pinned" || !list[0].Pinned || list[1].Origin != fleet.OriginSafety {
		w.t.Fatalf("snapshots after a restore from a backup: %+v", list)
	}
	for _, n := range []string{list[1].Name, "pinned"} {
		w.done(w.App.snapshots.Restore(w.t.Context(), name, n, snapshots.Once{}))
		if got := w.sh(name.String(), "cat /www/data"); got != "two" {
			w.t.Errorf("back at %s the tenant has %q", n, got)
		}
	}
}

// compares checks what is said of acme's first backup and its second, its snapshot, and now: that
// the data was written anew and the blob deleted.
func (w *site) compares(first, second string) {
	w.t.Helper()
	for name, to := range map[string]backups.DiffTo{"the second": {Backup: second}, "the snapshot": {Snapshot: "pinned"}, "now": {}} {
		if got := w.changed(first, to); !slices.Equal(got, []string{"removed /www/blob", "changed /www/data", "changed /www/hard"}) {
			w.t.Errorf("the first backup and %s: %v", name, got)
		}
	}
	if got := w.changed(second, backups.DiffTo{Snapshot: "pinned"}); len(got) > 0 {
		w.t.Errorf("the second backup and the snapshot after it: %v", got)
	}
}

// changed compares a backup, but for what the hook writes while the tenant is held still.
func (w *site) changed(backup string, to backups.DiffTo) (all []string) {
	w.t.Helper()
	changes, err := w.backups.Diff(w.t.Context(), backup, to)
	must(w.t, err)
	for _, c := range changes {
		if c.Path != "/www/held" {
			all = append(all, c.Change+" "+c.Path)
		}
	}
	return all
}

// A fleet is backed up to an S3 server, restored, tried out, lost, and brought back on an empty LXD
// and an empty store from the bucket and the recovery key.
func TestBackups(t *testing.T) {
	ctx, server := t.Context(), s3server.Start(t)
	bucket := server.Bucket()
	location := "s3://" + bucket.Bucket + "/fleet"
	w := newSite(t, fmt.Sprintf("backups-%d", os.Getpid()), bucket, location)
	key, err := w.backups.Init(ctx)
	must(t, err)
	must(t, w.backups.Recorded(ctx, strings.ToLower(key.Recovery)))
	w.images()
	w.tenant("acme")
	w.tenant("globex")
	w.sh("acme", `echo one >/www/data; mkdir -p /www/deep; ln -s ../data /www/deep/link; ln /www/data /www/hard; chown 1234:4321 /www/data; chmod 4750 /www/data; dd if=/dev/urandom of=/www/blob bs=1M count=3 2>/dev/null`)
	facts := `cd /www; ls -ln data hard deep/link | awk '{print $1,$3,$4,$5}'; sha256sum blob data; cat deep/link; [ data -ef hard ] && echo linked; cat /etc/machine-id 2>/dev/null`
	before := w.sh("acme", facts)
	w.done(w.backups.Create(ctx, "acme", backups.CreateRequest{Note: "first"}, backups.Once{}))
	w.done(w.backups.Create(ctx, "globex", backups.CreateRequest{}, backups.Once{}))
	w.sh("acme", "echo two >/www/data; rm /www/blob")
	w.done(w.backups.Create(ctx, "acme", backups.CreateRequest{}, backups.Once{}))
	list, err := w.backups.List(ctx, fleet.BackupFilter{Tenant: "acme"})
	must(t, err)
	first := list[1]
	t.Logf("first: %d bytes, %d moved; second: %d bytes, %d moved", first.Size, first.Moved, list[0].Size, list[0].Moved)
	w.clean("acme", "globex")

	files, err := w.backups.Files(ctx, first.ID, "/www")
	if err != nil || !slices.ContainsFunc(files, func(f fleet.FileInfo) bool { return f.Path == "/www/blob" && f.Size == 3<<20 }) {
		t.Errorf("files %+v: %v", files, err)
	}

	w.done(w.App.snapshots.Create(ctx, "acme", snapshots.CreateRequest{Name: "pinned", Pinned: true}, snapshots.Once{}))
	w.compares(first.ID, list[0].ID)
	was, err := w.lxd.Addresses(ctx, "acme")
	must(t, err)
	w.done(w.backups.Restore(ctx, first.ID, backups.RestoreRequest{}, backups.Once{}))
	if got := w.sh("acme", facts); got != before {
		t.Errorf("restored is\n%s\nwas\n%s", got, before)
	}
	if now, err := w.lxd.Addresses(ctx, "acme"); err != nil || !slices.Equal(now, was) {
		t.Errorf("the address is %v, was %v: %v", now, was, err)
	}
	w.goesOn("acme")
	w.done(w.backups.Restore(ctx, first.ID, backups.RestoreRequest{Into: "copy"}, backups.Once{}))
	if got := w.sh("copy", "cat /www/data"); got != "one" {
		t.Errorf("the copy has %q", got)
	}
	w.done(w.backups.Drill(ctx, backups.DrillRequest{Tenant: "acme"}, backups.Once{}))
	drills, err := w.backups.Drills(ctx, fleet.DrillFilter{})
	must(t, err)
	if len(drills) != 1 || !drills[0].Passed {
		t.Errorf("drills %+v", drills)
	}
	t.Logf("drill: %+v", drills)
	w.done(w.backups.Verify(ctx, backups.VerifyRequest{Deep: true}, backups.Once{}))
	w.clean("acme", "globex", "copy")

	w.done(w.backups.SaveControl(ctx, backups.Once{}))
	st, err := w.backups.Status(ctx)
	must(t, err)
	if st.State != backups.StateReady || !st.KeyRecorded || !st.Away || st.LastControl == nil {
		t.Errorf("status %+v", st)
	}
	lost := map[fleet.Name]fleet.Tenant{}
	for _, name := range []fleet.Name{"acme", "globex", "copy"} {
		lost[name], err = w.store.Tenant(ctx, name)
		must(t, err)
	}
	w.end()
	emptied(t, w.cfg.LXD.Project)

	// Another machine, with nothing but the bucket and the key, which keeps its own backups elsewhere.
	n := newSite(t, fmt.Sprintf("recovered-%d", os.Getpid()), bucket, "file://"+filepath.Join(t.TempDir(), "own"))
	_, err = n.backups.Init(ctx)
	must(t, err)
	if _, err := n.backups.Recover(ctx, backups.RecoverRequest{From: location}); fleet.CodeOf(err) != fleet.Forbidden {
		t.Errorf("recovered without the key: %v", err)
	}
	report, err := n.backups.Recover(ctx, backups.RecoverRequest{From: location, Key: strings.ToLower(key.Recovery)})
	must(t, err)
	outcomes := map[fleet.Name]backups.RecoverOutcome{}
	for _, r := range report.Tenants {
		outcomes[r.Tenant] = r.Outcome
	}
	if outcomes["acme"] != backups.RecoverRestoring || outcomes["globex"] != backups.RecoverRestoring || outcomes["copy"] != backups.RecoverNothing {
		t.Errorf("recovery: %+v", report)
	}
	for _, r := range report.Tenants {
		if r.JobID != "" {
			n.done(fleet.Job{ID: r.JobID}, nil)
		}
	}
	if len(report.Images) != 1 || !report.Images[0].Saved {
		t.Fatalf("the imported image is not saved: %+v", report.Images)
	}
	n.done(fleet.Job{ID: report.Images[0].JobID}, nil)
	n.tenant("new")
	for _, name := range []fleet.Name{"acme", "globex"} {
		got, err := n.store.Tenant(ctx, name)
		must(t, err)
		if got.ID != lost[name].ID || !got.Ready || !slices.Equal(got.Domains, lost[name].Domains) || got.Plan != lost[name].Plan {
			t.Errorf("%s is %+v, was %+v", name, got, lost[name])
		}
	}
	if got := n.sh("acme", "cat /www/data"); got != "two" { // the newest backup
		t.Errorf("acme has %q", got)
	}
	n.done(n.backups.Create(ctx, "acme", backups.CreateRequest{}, backups.Once{}))
	if list, err := n.backups.List(ctx, fleet.BackupFilter{}); err != nil || len(list) != 1 {
		t.Errorf("the new daemon's own backups are %+v: %v", list, err)
	}
	n.clean("acme", "globex", "new")
}
