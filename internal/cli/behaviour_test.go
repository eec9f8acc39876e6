package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

func TestEveryCommandIsTested(t *testing.T) {
	tested := map[string]bool{"lxdfleet man": true, "lxdfleet completion bash": true, "lxdfleet completion zsh": true, "lxdfleet completion fish": true, "lxdfleet completion powershell": true, "lxdfleet events": true, "lxdfleet config example": true, "lxdfleet job cancel": true, "lxdfleet job retry": true}
	root := Root(testApp(), Streams{})
	for _, args := range quick(t) {
		c, _, err := root.Find(args)
		if err != nil {
			t.Fatal(err)
		}
		tested[c.CommandPath()] = true
	}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if !c.HasSubCommands() && !tested[c.CommandPath()] {
			t.Errorf("%s has no test", c.CommandPath())
		}
		if c.Short == "" {
			t.Errorf("%s does not say what it does", c.CommandPath())
		}
		for _, below := range c.Commands() {
			visit(below)
		}
	}
	visit(root)
}

func TestMistakes(t *testing.T) {
	for _, line := range []string{
		"tenant crate acme", "frobnicate", "tenant", "tenant create", "tenant create acme", "tenant create acme --image w --label x",
		"tenant list extra", "tenant list --nope", "tenant list -o xml", "tenant exec acme", "tenant exec acme -t -T -- true",
		"image delete wordpress", "image import f wordpress", "image build no-such-recipe", "tenant show nobody",
		"domain add acme", "domain add acme x.localhost --redirect-to www.x.localhost", "domain add acme x.localhost --code 301",
		"domain add acme globex.localhost", "domain show nobody.localhost", "domain remove https://x", "tenant maintenance acme maybe",
		"tenant maintenance acme off --message x", "tenant maintenance acme on --page no-such-file", "tenant set acme", "tenant set acme plan=large", "tenant set acme quiesce.limit=5s", "tenant set acme quiesce=hook quiesce.limit=long", "tenant set acme quiesce=hook quiesce.lmit=5s",
		"tenant set acme label", "tenant guard acme --reset --rate 5", "tenant guard acme --hsts 1y,preload", "tenant guard acme --security-headers maybe",
		"tenant hold acme --for soon", "top --interval 0s",
		"snapshot create", "snapshot restore acme", "snapshot restore nobody snap0", "snapshot create acme snap0", "snapshot edit acme snap0", "snapshot edit acme snap0 --pin --unpin",
		"snapshot list", "snapshot get acme snap0", "snapshot get acme snap0 /etc/x cli_test.go", "snapshot get acme snap0 /etc/x no/such/folder/x", "snapshot get acme none /etc/x -",
		"snapshot clone acme snap0", "snapshot clone acme snap0 Acme!", "snapshot crate acme",
		"backup create", "backup create acme --control", "backup create nobody", "backup show none", "backup restore", "backup restore none", "backup edit c1ab", "backup edit c1ab --pin --unpin",
		"backup restore c1ab --plan large", "backup verify c1ab --tenant acme", "backup verify none", "backup get c1ab", "backup delete", "backup init now", "backup crate",
		"drill run acme --backup c1ab", "drill run nobody!", "drill show none", "recover --tenant acme", "recover --from", "policy create", "policy create nightly", "policy create x --keep-backups daily=7", "policy create x --snapshots @daily --keep-snapshots dayly=7",
		"policy create x --snapshots @daily --keep-snapshots daily=many", "policy create x --snapshots *_*_*_*", "policy create x --time-zone Mars/Olympus",
		"policy create x --snapshots @daily --keep-snapshots min-age=long", "policy set nightly", "policy set nightly hourly=7", "policy set nightly backups", "policy set none drills=",
		"policy set snapshots-only keep-drills=last=3", "policy delete nightly", "policy show none", "policy plan nobody",
		"list", "launch x", "tenant launch x", "operation list", "tenant list --fitler x", "tenant stop --tmeout 5s", "tenant info acme --x", "tenant create Acme! --image wordpress", "job show nope", "image show nope", "config check testdata/bad.yaml",
	} {
		t.Run(line, func(t *testing.T) {
			b := newBench(t)
			golden(t, "mistake "+line, "$ lxdfleet "+line+"\n"+b.run(strings.Fields(line)...).String())
		})
	}
}

func TestJobsThatFail(t *testing.T) {
	tests := []struct {
		name  string
		state fleet.JobState
		want  []string
	}{
		{"undone", fleet.JobUndone, []string{"Error: the pool is full (nothing is left behind)", "Hint: look at the log"}},
		{"stuck", fleet.JobStuck, []string{"Error: the job is stuck: the pool is full", "lxdfleet job retry 00000000000000000000000001"}},
		{"cancelled", fleet.JobCancelled, []string{"Error: the job was cancelled; nothing of it is left behind"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.Jobs.Hold()
			job, err := b.Jobs.Submit("tenant.start", "tenant/acme", nil, tenants.Once{})
			if err != nil {
				t.Fatal(err)
			}
			b.Jobs.Add(job.ID, fleet.JobEvent{Step: "clone", Type: fleet.EventFailed, Message: "the pool is full"})
			b.Jobs.Add(job.ID, fleet.JobEvent{Type: fleet.EventState, Message: "undoing"})
			b.Jobs.Add(job.ID, fleet.JobEvent{Step: "clone", Type: fleet.EventUndoStarted})
			b.Jobs.Add(job.ID, fleet.JobEvent{Step: "clone", Type: fleet.EventUndone})
			b.Jobs.Finish(job.ID, tt.state, fleet.Errorf(fleet.Exhausted, "the pool is full"))
			r := b.run("job", "watch", job.ID)
			if r.exit != exitFailed || r.out != "" {
				t.Errorf("%v", r)
			}
			for _, want := range append(tt.want, "clone: failed: the pool is full", "job: undoing what was done", "clone: taken back") {
				if !strings.Contains(r.err, want) {
					t.Errorf("%q is not in\n%s", want, r.err)
				}
			}
		})
	}
}

func TestCancelAndRetry(t *testing.T) {
	b := newBench(t)
	b.Jobs.Hold()
	job, err := b.Jobs.Submit("tenant.start", "tenant/acme", nil, tenants.Once{})
	if err != nil {
		t.Fatal(err)
	}
	if r := b.run("job", "retry", job.ID); r.exit != exitFailed || !strings.Contains(r.err, "is not stuck") {
		t.Errorf("%v", r)
	}
	if r := b.run("job", "cancel", job.ID); r.exit != exitOK || !strings.Contains(r.out, "is cancelled") {
		t.Errorf("%v", r)
	}
	if r := b.run("job", "cancel", job.ID); r.exit != exitFailed || !strings.Contains(r.err, "nothing to cancel") {
		t.Errorf("%v", r)
	}
	stuck, err := b.Jobs.Submit("tenant.start", "tenant/acme", nil, tenants.Once{})
	if err != nil {
		t.Fatal(err)
	}
	b.Jobs.Finish(stuck.ID, fleet.JobStuck, errors.New("n2 is away"))
	if r := b.run("job", "retry", stuck.ID); r.exit != exitOK || !strings.Contains(r.out, "is done") {
		t.Errorf("%v", r)
	}
}

func TestInterruptLeavesTheJobRunning(t *testing.T) {
	b := newBench(t)
	b.Jobs.Hold()
	ctx, interrupt := context.WithCancel(t.Context())
	b.ctx = ctx
	go func() {
		for range b.Jobs.Watch(t.Context(), "00000000000000000000000001", 0) {
			break
		}
	}()
	ended := make(chan result)
	go func() { ended <- b.run("tenant", "start", "acme") }()
	waitForCall(t, b, "Job 0")
	interrupt()
	r := <-ended
	for _, want := range []string{"The job goes on", "lxdfleet job watch 00000000000000000000000001", "lxdfleet job cancel 00000000000000000000000001"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("%q is not in\n%s", want, r.err)
		}
	}
	if r.exit != exitFailed {
		t.Error(r.exit)
	}
	if job, err := b.Jobs.Job(t.Context(), "00000000000000000000000001"); err != nil || job.State != fleet.JobRunning {
		t.Errorf("%+v %v", job, err)
	}
}

// waitForCall waits until the services were called with this.
func waitForCall(t *testing.T, b *bench, prefix string) {
	t.Helper()
	for t.Context().Err() == nil {
		for _, call := range b.Calls() {
			if strings.HasPrefix(call, prefix) {
				return
			}
		}
	}
}

func TestNoDaemon(t *testing.T) {
	b := newBench(t)
	b.socket = filepath.Join(t.TempDir(), "none")
	r := b.run("tenant", "list")
	if r.exit != exitUnreachable || !strings.Contains(r.err, "Hint: start it with: systemctl start lxdfleet, or in a terminal: lxdfleet serve") {
		t.Errorf("%v", r)
	}
	if r := b.run("doctor"); r.exit != exitFailed || r.out != "fail  lxd: no LXD\n      Hint: install LXD\n" {
		t.Errorf("%v", r)
	}
	if r := b.run("version"); r.exit != exitOK || !strings.Contains(r.out, "not running") {
		t.Errorf("%v", r)
	}
	if r := b.run("__complete", "tenant", "show", ""); r.exit != exitOK || !strings.HasPrefix(r.out, ":4\n") {
		t.Errorf("%v", r)
	}
	if err := (&tool{Streams: Streams{Err: io.Discard}}).report(fmt.Errorf("%w: %w", client.ErrUnreachable, fs.ErrPermission)); err != exitUnreachable {
		t.Error(err)
	}
	if _, hint := explain(nil, fmt.Errorf("%w: %w", client.ErrUnreachable, fs.ErrPermission)); !strings.Contains(hint, "socket.group") {
		t.Error(hint)
	}
}

func TestCompletion(t *testing.T) {
	b := newBench(t)
	for line, want := range map[string]string{
		"tenant show ":              "acme globex",
		"tenant start acme ":        "acme globex",
		"tenant resize acme ":       "small large",
		"tenant create x --plan ":   "small large",
		"tenant create x --image ":  "wordpress wordpress/6.1-1 wordpress/6.0-1",
		"tenant create x --member ": "n1 n2",
		"tenant adopt ":             "handmade",
		"image show ":               "wordpress wordpress/6.1-1 wordpress/6.0-1",
		"tenant list -o ":           "table json yaml",
		"tenant show acme ":         "",
		"job list --state ":         "queued running undoing done undone cancelled stuck",
		"tenant list --desired ":    "running stopped removed",
		"tenant exec ":              "acme globex",
		"domain add ":               "acme globex",
		"domain list ":              "acme globex",
		"domain show ":              "acme.localhost globex.localhost www.acme.localhost www.xn--bcher-kva.de",
		"domain primary acme ":      "acme.localhost globex.localhost www.acme.localhost www.xn--bcher-kva.de",
		"domain list --state ":      "active pending",
		"tenant maintenance acme ":  "on off",
		"tenant set acme ":          "display-name= contact= policy= time-zone= window= quiesce= quiesce.limit= quiesce.address= quiesce.login= label. require= prefer= apart= together= pinned=",
		"tenant create x --policy ": "nightly snapshots-only",
		"snapshot create ":          "acme globex",
		"snapshot restore acme ":    "snap0 by-hand nightly-20250314-0300",
		"snapshot delete acme x ":   "snap0 by-hand nightly-20250314-0300",
		"snapshot clone acme x ":    "",
		"snapshot diff acme snap0 ": "snap0 by-hand nightly-20250314-0300",
		"backup create ":            "acme globex",
		"backup show ":              "c1ab4aa5e7c5 acme 2025-03-14 03:26 90e1d7f2b3a4 acme 2025-03-13 03:26",
		"drill run ":                "acme globex",
		"policy show ":              "nightly snapshots-only",
		"policy set nightly ":       "description= time-zone= snapshots= keep-snapshots= backups= keep-backups= drills= keep-drills=",
		"policy plan ":              "acme globex",
	} {
		t.Run(line, func(t *testing.T) {
			args := append([]string{"__complete"}, strings.Fields(line)...)
			if strings.HasSuffix(line, " ") {
				args = append(args, "")
			}
			// Completion parses --socket after its own name.
			socket := b.socket
			b.socket = ""
			defer func() { b.socket = socket }()
			t.Setenv("LXDFLEET_SOCKET", socket)
			words, _, _ := strings.Cut("\n"+b.run(args...).out, "\n:")
			if got := strings.Join(strings.Fields(words), " "); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	if r := b.run("completion", "bash"); r.exit != exitOK || !strings.Contains(r.out, "__start_lxdfleet") {
		t.Errorf("exit %d", r.exit)
	}
}

func TestExecPassesStreamsAndExitCode(t *testing.T) {
	b := newBench(t)
	b.in = strings.NewReader("from stdin")
	b.Tenants.Command = func(_ context.Context, spec fleet.ExecSpec) (int, error) {
		if _, err := io.Copy(spec.Stdout, spec.Stdin); err != nil {
			return 0, err
		}
		_, err := fmt.Fprintf(spec.Stderr, "%q tty %v term %v %dx%d A=%s", spec.Command, spec.TTY, spec.Env["TERM"] != "", spec.Width, spec.Height, spec.Env["A"])
		return 42, err
	}
	r := b.run("tenant", "exec", "acme", "--env", "A=b=c", "--", "sh", "-c", "exit 42")
	if r.exit != 42 || r.out != "from stdin" || r.err != `["sh" "-c" "exit 42"] tty false term false 0x0 A=b=c` {
		t.Errorf("%v", r)
	}
	b.in = strings.NewReader("")
	if r := b.run("tenant", "exec", "-t", "acme", "--", "top"); r.err != `["top"] tty true term true 80x24 A=` {
		t.Errorf("%v", r)
	}
}

func TestEvents(t *testing.T) {
	for output, want := range map[string]string{
		"table": "tenant.changed   tenant/acme",
		"json":  `"subject":"tenant/acme"`,
		"yaml":  "subject: tenant/acme",
	} {
		t.Run(output, func(t *testing.T) {
			b := newBench(t)
			ctx, interrupt := context.WithCancel(t.Context())
			b.ctx = ctx
			seen := make(chan struct{})
			out := &watchfulWriter{want: want, seen: seen}
			go func() {
				for {
					select {
					case <-seen:
						interrupt()
						return
					case <-time.After(time.Millisecond): // until the listener is there; more at once than it reads would cut it off
						b.Feed.Publish(fleet.Event{Type: "tenant.changed", Subject: "tenant/acme"})
					}
				}
			}()
			exit := Run(b.ctx, b.app, Streams{In: b.in, Out: out, Err: out}, []string{"--socket", b.socket, "events", "-o", output, "--type", "tenant."})
			if exit != exitOK {
				t.Errorf("exit %d: %s", exit, out.all)
			}
		})
	}
}

func TestTopGoesOnUntilInterrupted(t *testing.T) {
	for output, want := range map[string]string{
		"table": "652 requests/s  601 errors/s  5 hosts\n+", "json": `{"at":"2025-03-14T09:27:03Z","seconds":2,`, "yaml": "---\nat: 2025-03-14T09:27:03Z\n",
	} {
		t.Run(output, func(t *testing.T) {
			b := newBench(t)
			ctx, interrupt := context.WithCancel(t.Context())
			seen := make(chan struct{})
			out := &watchfulWriter{want: want, seen: seen}
			go func() { <-seen; interrupt() }()
			exit := Run(ctx, b.app, Streams{In: b.in, Out: out, Err: out}, []string{"--socket", b.socket, "top", "--interval", "1ms", "-o", output})
			if exit != exitOK || strings.Contains(out.all, "\x1b") {
				t.Errorf("exit %d: %q", exit, out.all)
			}
		})
	}
}

// watchfulWriter closes seen once want was written.
type watchfulWriter struct {
	want, all string
	seen      chan struct{}
}

func (w *watchfulWriter) Write(p []byte) (int, error) {
	found := strings.Contains(w.all, w.want)
	w.all += string(p)
	if !found && strings.Contains(w.all, w.want) {
		close(w.seen)
	}
	return len(p), nil
}

func TestCAExportWritesAFile(t *testing.T) {
	b := newBench(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if r := b.run("ca", "export", file); r.exit != exitOK || r.out != "" {
		t.Errorf("%v", r)
	}
	if data, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(data), "-----BEGIN CERTIFICATE-----") {
		t.Errorf("%q %v", data, err)
	}
	b.Fail("CA", fleet.Errorf(fleet.NotFound, "there is no authority").WithHint("start the proxy"))
	if r := b.run("ca", "export", file+"2"); r.exit != exitFailed || !strings.Contains(r.err, "Hint: start the proxy") {
		t.Errorf("%v", r)
	}
	if _, err := os.Stat(file + "2"); !os.IsNotExist(err) {
		t.Error("a file was made all the same")
	}
}

func TestSnapshotGetWritesAFile(t *testing.T) {
	b := newBench(t)
	t.Chdir(t.TempDir())
	if err := os.Mkdir("there", 0o700); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{"": "index.php", "there": "there/index.php", "there/other.php": "there/other.php"} {
		args := []string{"snapshot", "get", "acme", "snap0", "/var/www/index.php"}
		if target != "" {
			args = append(args, target)
		}
		if r := b.run(args...); r.exit != exitOK || r.out != want+": 6 bytes\n" {
			t.Errorf("%v", r)
		}
		if data, err := os.ReadFile(want); err != nil || string(data) != "<?php\n" {
			t.Errorf("%q %v", data, err)
		}
		if r := b.run(args...); r.exit != exitFailed || !strings.Contains(r.err, want+" is there already") {
			t.Errorf("%v", r)
		}
	}
	left, err := filepath.Glob(".*")
	if err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

func TestKeyIsShownAndConfirmed(t *testing.T) {
	b := newBench(t)
	b.Backups.Unmade()
	if r := b.run("backup", "status"); r.exit != exitOK || !strings.Contains(r.out, "make one: lxdfleet backup init") {
		t.Errorf("%v", r)
	}
	if r := b.run("backup", "create", "acme"); r.exit != exitFailed || !strings.Contains(r.err, "Hint: make one: lxdfleet backup init") {
		t.Errorf("%v", r)
	}
	r := b.run("backup", "init")
	if r.exit != exitOK || !strings.Contains(r.out, "    "+apifake.RecoveryKey+"\n") || !strings.Contains(r.err, "lxdfleet backup confirm-key") {
		t.Errorf("%v", r)
	}
	for typed, want := range map[string]int{"nonsense\n": exitFailed, "": exitUsage, "# The key\n\n" + apifake.RecoveryKey + "\n": exitOK} {
		b.in = strings.NewReader(typed)
		if r := b.run("backup", "confirm-key"); r.exit != want || strings.Contains(r.out+r.err, apifake.RecoveryKey) {
			t.Errorf("%q: %v", typed, r)
		}
	}
}

func TestKeyIsAskedForUntilItIsRight(t *testing.T) {
	for _, typed := range []string{"wrong\n" + apifake.RecoveryKey + "\nmore\n", "wrong\n\n", ""} {
		b := newBench(t)
		d, err := client.New(b.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer d.CloseIdle()
		var out, errs locked
		tool := &tool{Streams: Streams{In: strings.NewReader(typed), Out: &out, Err: &errs}, output: "table"}
		if err := tool.askKey(t.Context(), d); err != nil {
			t.Error(err)
		}
		right := strings.Contains(typed, apifake.RecoveryKey)
		if got := strings.Contains(out.String(), "It is the key"); got != right {
			t.Errorf("%q: %s%s", typed, out.String(), errs.String())
		}
		if got := strings.Contains(errs.String(), "lxdfleet doctor reminds you"); got == right {
			t.Errorf("%q: %s", typed, errs.String())
		}
		if got := strings.Contains(errs.String(), "Error: key: this is not the recovery key"); got != strings.HasPrefix(typed, "wrong") {
			t.Errorf("%q: %s", typed, errs.String())
		}
	}
}

func TestFailedDrillAndDamageAreFailures(t *testing.T) {
	b := newBench(t)
	if r := b.run("backup", "verify"); r.exit != exitFailed || !strings.Contains(r.out, "Backup 90e1d7f2b3a4 of acme is damaged") {
		t.Errorf("%v", r)
	}
	if r := b.run("backup", "verify", "c1ab"); r.exit != exitOK || !strings.Contains(r.out, "No damage was found") {
		t.Errorf("%v", r)
	}
	b.Backups.FailDrills()
	if r := b.run("drill", "run", "acme"); r.exit != exitFailed || !strings.Contains(r.out, "the database did not start") {
		t.Errorf("%v", r)
	}
}

func TestRecoverWaitsForTheRestores(t *testing.T) {
	b := newBench(t)
	job, err := b.Jobs.Submit("backup.restore", "tenant/acme", nil, tenants.Once{})
	if err != nil {
		t.Fatal(err)
	}
	b.Backups.Recovering(job.ID)
	if r := b.run("recover", "--from", "file:///var/lib/lxdfleet/backups"); r.exit != exitOK || !strings.Contains(r.out, "Tenant acme is back, as it was 6 hours ago") {
		t.Errorf("%v", r)
	}
	b.Jobs.Hold()
	if job, err = b.Jobs.Submit("backup.restore", "tenant/acme", nil, tenants.Once{}); err != nil {
		t.Fatal(err)
	}
	b.Jobs.Finish(job.ID, fleet.JobUndone, errors.New("the pool is full"))
	b.Backups.Recovering(job.ID)
	if r := b.run("recover", "--from", "file:///var/lib/lxdfleet/backups"); r.exit != exitFailed || !strings.Contains(r.err, "the pool is full") || strings.Contains(r.out, "is back, as it was") {
		t.Errorf("%v", r)
	}
}

// The recovery key of backups elsewhere comes from a file or from standard input, below comments.
func TestRecoverGivesTheKey(t *testing.T) {
	b := newBench(t)
	file := filepath.Join(t.TempDir(), "copy.key")
	if err := os.WriteFile(file, []byte("# The recovery key\n\nAAAA-BBBB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{file: exitOK, os.DevNull: exitUsage, file + ".gone": exitUsage} {
		if r := b.run("recover", "--from", "s3://other", "--key-file", name, "--no-wait"); r.exit != want {
			t.Errorf("with the key in %s: %v", name, r)
		}
	}
	b.in = strings.NewReader("AAAA-BBBB\n")
	if r := b.run("recover", "--from", "s3://other", "--key-file", "-", "--no-wait"); r.exit != exitOK {
		t.Errorf("with the key on standard input: %v", r)
	}
	if r := b.run("recover", "--key-file", file); r.exit != exitUsage {
		t.Errorf("a key without a place: %v", r)
	}
}

func TestConfigFileNamesTheSocket(t *testing.T) {
	b := newBench(t)
	file := filepath.Join(t.TempDir(), "lxdfleet.yaml")
	if err := os.WriteFile(file, []byte("socket: {path: "+b.socket+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.socket = ""
	if r := b.run("--config", file, "tenant", "list", "--search", "acme"); r.exit != exitOK || !strings.Contains(r.out, "acme") {
		t.Errorf("%v", r)
	}
	t.Setenv(config.EnvFile, file)
	if r := b.run("tenant", "list"); r.exit != exitOK {
		t.Errorf("%v", r)
	}
	if r := b.run("--config", file+".none", "tenant", "list"); r.exit != exitFailed || !strings.Contains(r.err, "lxdfleet config example") {
		t.Errorf("%v", r)
	}
	if r := b.run("config", "example"); r.out != config.Example() {
		t.Errorf("%v", r)
	}
}

func TestTerminalIsNotSteered(t *testing.T) {
	b := newBench(t)
	b.Tenants.Command = nil
	b.Fail("Get", fleet.Errorf(fleet.Failed, "hook said \x1b[2J\x07\u009b31m"))
	if r := b.run("tenant", "show", "acme"); strings.ContainsAny(r.err, "\x1b\x07\u009b") {
		t.Errorf("%q", r.err)
	}
}
