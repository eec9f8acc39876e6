package cli

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
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
