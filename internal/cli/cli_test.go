package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/setup"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

var update = flag.Bool("update", false, "write the golden files")

// bench is a command with a daemon behind it, both in this process.
type bench struct {
	*apifake.Fleet
	Feed   *api.Feed
	socket string
	app    App
	in     io.Reader
	ctx    context.Context
}

func newBench(t *testing.T) *bench {
	t.Helper()
	t.Setenv(config.EnvFile, "")
	t.Setenv("LXDFLEET_SOCKET", "")
	t.Setenv("LXDFLEET_CONTEXT", "")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	f := apifake.New()
	o := f.Options(t.TempDir())
	socket, _ := apifake.Serve(t, o)
	return &bench{Fleet: f, Feed: o.Feed, socket: socket, in: strings.NewReader(""), ctx: t.Context(), app: testApp()}
}

func testApp() App {
	return App{
		Version: "1.2.3",
		Init: func(_ context.Context, cfg config.Config, out io.Writer, reset bool) error {
			_, err := fmt.Fprintf(out, "project %s: created, reset %v\n", cfg.LXD.Project, reset)
			return err
		},
		Doctor: func(context.Context, config.Config) []setup.Finding {
			return []setup.Finding{{Check: "lxd", State: setup.Fail, Message: "no LXD", Hint: "install LXD"}}
		},
		Serve: func(_ context.Context, settings config.Settings) error {
			return fleet.Errorf(fleet.Conflict, "another process answers on %s", settings.Socket.Path).WithHint("stop it first")
		},
		Proxy: func(_ context.Context, cfg config.Config, controller, token, name string) error {
			return fleet.Errorf(fleet.Unavailable, "controller %q, token %q, name %q, folder %s", controller, token, name, cfg.DataDir)
		},
	}
}

// result is how a run ended.
type result struct {
	exit     int
	out, err string
}

// String is the form of the golden files.
func (r result) String() string {
	return fmt.Sprintf("exit %d\n--- out\n%s--- err\n%s", r.exit, r.out, r.err)
}

func (b *bench) run(args ...string) result {
	var out, errs locked
	t := &tool{app: b.app, Streams: Streams{In: b.in, Out: &out, Err: &errs}, now: func() time.Time { return apifake.Now.Add(time.Minute) }}
	if b.socket != "" {
		args = append([]string{"--socket", b.socket}, args...)
	}
	exit := t.run(b.ctx, args)
	return result{exit, out.String(), errs.String()}
}

// locked is a buffer for several writers.
type locked struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", strings.NewReplacer(" ", "_", "/", "_", "*", "_", "ü", "u", ":", "_").Replace(name)+".golden")
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(file, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; make it with -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// quick makes the command line of one verb; every verb of the tree is in it.
func quick(t *testing.T) [][]string {
	t.Helper()
	tarball := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(tarball, []byte("tarball"), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := []string{
		"tenant create initech --image wordpress --domain initech.localhost --plan small --label tier=gold --member n1 --display-name Initech --contact a@b.example --idempotency-key k1",
		"tenant apply -f testdata/tenants.yaml", "tenant apply -f testdata/tenants.yaml -o json", "tenant apply -f testdata/unknown.yaml", "tenant apply", "tenant apply -f testdata/twice.yaml",
		"tenant credentials acme", "tenant credentials acme --show", "tenant credentials acme -o yaml", "tenant credentials nobody",
		"tenant list", "tenant list -o json", "tenant list -o yaml", "tenant list --search nobody", "tenant list --search nobody -o json",
		"tenant show acme", "tenant show globex", "tenant show acme -o json",
		"tenant start acme", "tenant start acme globex nobody", "tenant stop acme --timeout 5s", "tenant restart acme", "tenant restart acme -o json",
		"tenant delete acme", "tenant delete acme --now", "tenant undelete globex", "tenant resize acme large", "tenant start acme --no-wait",
		"tenant adopt handmade --domain handmade.localhost --plan small", "tenant adoptable",
		"tenant exec acme -- uname -a", "tenant logs acme -n 5 --unit nginx",
		"tenant set acme contact=a@b.example display-name= label.tier= label.a=b", "tenant maintenance acme on --message Soon --for 1h",
		"tenant maintenance acme off", "tenant guard acme", "tenant guard acme --reset", "tenant guard acme --allow= --rate 0 --hsts off",
		"tenant guard acme --allow 10.0.0.0/8,2001:db8::/32 --rate 50 --burst 100 --rate-per-address 0.5 --max-in-flight 200 --max-body 2GiB --hsts 1y,subdomains --security-headers on",
		"tenant guard acme --deny 192.0.2.1 -o json", "tenant hold acme --reason backup --for 30s", "tenant resume acme", "tenant hold acme -o json",
		"tenant create initech --image wordpress --policy nightly --time-zone Europe/Berlin", "tenant set acme policy=nightly time-zone=",
		"tenant set acme quiesce=mysql quiesce.limit=3s quiesce.address=10.0.0.5:3306 quiesce.login=/root/.my.cnf policy=nightly time-zone=Europe/Berlin -o yaml", "tenant set acme quiesce= -o yaml",
		"snapshot create acme before --note update --pin --idempotency-key k1", "snapshot create acme", "snapshot create acme --crash", "snapshot create acme --no-wait",
		"snapshot list acme", "snapshot list globex", "snapshot list globex -o json", "snapshot list acme -o yaml", "snapshot show acme snap0", "snapshot show acme nightly-20250314-0300 -o json",
		"snapshot edit acme snap0 --unpin --note=", "snapshot edit acme by-hand --pin -o yaml", "snapshot delete acme by-hand", "snapshot delete acme snap0",
		"snapshot delete acme snap0 by-hand none", "snapshot delete acme snap0 --force", "snapshot restore acme snap0", "snapshot restore acme none",
		"snapshot clone acme snap0 acme-test --domain test.localhost --plan small --mail",
		"snapshot diff acme snap0", "snapshot diff acme snap0 by-hand -o json", "snapshot files acme snap0", "snapshot files acme snap0 /var/www -o json",
		"snapshot get acme snap0 /etc/x -", "snapshot get acme snap0 /uploads -",
		"policy list", "policy list -o json", "policy show nightly", "policy show nightly -o yaml",
		"policy create often --description Shops --time-zone Europe/Berlin --snapshots @hourly --keep-snapshots hourly=24,min-age=36h --backups @daily --drills @weekly --keep-drills last=5",
		"policy create none -o json", "policy set nightly keep-snapshots=daily=7 drills= time-zone= description=", "policy set snapshots-only backups=@weekly -o yaml",
		"policy delete snapshots-only", "policy delete nightly snapshots-only", "policy delete snapshots-only -o json", "policy plan acme", "policy plan acme -o json", "policy plan globex",
		"backup create acme --note weekly --pin", "backup create acme nobody", "backup create --control", "backup create acme --no-wait",
		"backup list", "backup list acme -o yaml", "backup list globex", "backup list --damaged", "backup show c1ab", "backup show 90e1 -o json",
		"backup edit c1ab --pin --note good", "backup delete c1ab", "backup delete 90e1 none", "backup verify", "backup verify c1ab --deep", "backup verify --tenant globex",
		"backup diff c1ab", "backup diff c1ab 90e1 -o json", "backup diff c1ab --snapshot snap0", "backup diff c1ab none", "backup diff c1ab 90e1 --snapshot snap0",
		"backup restore c1ab", "backup restore 90e1", "backup restore c1ab --into acme-old --domain old.localhost", "backup files c1ab /etc", "backup get c1ab /etc/x -",
		"backup prune", "backup status", "backup status -o json", "backup init", "backup rotate-key", "backup rotate-key -o json", "backup confirm-key", "job cancel JOB", "job retry JOB", "whoami",
		"drill run acme", "drill run", "drill run --backup c1ab --no-wait", "drill list", "drill list acme --failed -o yaml", "drill show 00000000000000000000drill1",
		"recover --from file:///var/lib/lxdfleet/backups --no-wait", "recover --from file:///var/lib/lxdfleet/backups --dry-run --tenant acme -o json", "recover --from s3://other",
		"domain add acme shop.acme.localhost", "domain add acme acme.com --primary", "domain add acme old.localhost --redirect-to primary --code 301",
		"domain add acme *.bücher.localhost -o yaml",
		"domain list", "domain list acme", "domain list acme --state pending -o json", "domain list --state active",
		"domain show acme.localhost", "domain show www.acme.localhost -o json", "domain show www.bücher.de", "domain check www.xn--bcher-kva.de",
		"domain primary acme www.acme.localhost", "domain remove www.acme.localhost", "domain remove www.acme.localhost -o json",
		"image build static", "image import TARBALL static/1", "image list", "image list wordpress -o yaml", "image show wordpress", "image show wordpress/6.0-1",
		"image delete wordpress/6.0-1",
		"job list", "job list --state done --limit 2", "job show JOB", "job show JOB -o json", "job watch JOB",
		"top --once --interval 1ms", "top --once --interval 1ms -o json",
		"plan list", "member list", "member show n1", "member show n2", "member show nobody", "member cordon n1 n2 --reason disk", "member uncordon n2 -o json",
		"member label n1 disk=nvme rack=", "member drain n1 --plan", "member drain n1", "member drain n1 --at-once 3 --partial", "member drain n9", "member restore n1 --limit 50MiB",
		"move acme --to n3", "move acme --to n1", "move acme --at window", "move acme --at 2026-12-01_02:00", "move acme --dry-run", "move acme --dry-run -o json", "move nobody", "move acme globex --max-hold 10s", "move acme --limit nonsense", "move",
		"tenant restart --selector client=acme", "tenant stop --all --at-once 8 --timeout 10s -o yaml", "tenant start acme nobody --at-once 2", "tenant restart acme --all",
		"tenant restart --selector nonsense", "tenant start", "tenant restart acme --idempotency-key k", "tenant restart --all --no-wait --idempotency-key bulk1",
		"move --selector client=acme --to n3", "move --all --dry-run", "move --all --at 2026-12-01T02:00:00Z --limit 50MiB --max-hold 10s --to n3", "move --selector client=acme --at window -o yaml", "move acme globex --at-once 2 --at never",
		"tenant resize", "tenant resize acme", "tenant resize --selector client=acme large", "tenant resize acme globex small", "tenant resize --all large -o json", "job show BULK", "job show BULK -o json", "job show BULK -o yaml", "snapshot create --all --note weekly", "snapshot create --all --pin", "backup create --selector client=acme --note weekly",
		"backup create --all --control", "job list --parent 00000000000000000000000001", "job list --kind tenant.move", "job list --kind tenant.move -o json",
		"tenant list --status running,removed --sort -created -c name,status", "tenant list --sort size", "job list --sort created --state done,undone --kind tenant.", "snapshot list acme --origin manual,lxc --sort -name",
		"snapshot list acme --pinned --consistency application --from 2025-01-01", "backup list --sort taken --policy nightly", "backup list --pinned=false --to 24h -o json",
		"placement explain acme", "placement explain --plan large --label a=b --require disk=tape", "placement explain acme --plan large", "placement explain acme -o yaml",
		"rebalance", "rebalance --plan", "rebalance --plan --consolidate", "rebalance --plan -o json", "rebalance --apply --consolidate", "rebalance --plan --apply", "user set carl --enable --disable", "tenant stop --nope",
		"tenant create hooli --image wordpress --require disk=nvme,rack=a --prefer zone=x --apart globex --together client=x --pin",
		"tenant set acme require=disk=nvme apart=globex,client=x together= pinned=true", "tenant set acme pinned=maybe",
		"cluster list", "cluster show west", "cluster show east -o json", "cluster add north --token eyJ", "cluster add north", "cluster rotate west", "cluster remove west", "cluster remove east", "cluster remove --force east",
		"route list", "proxy", "proxy list", "proxy list -o json", "proxy token", "proxy token --name edge-3 --ttl 10m -o yaml",
		"proxy remove edge-1", "proxy remove nobody", "proxy --controller https://ctl.example:8444 --token t --name e --data-dir /x", "recover", "ca export", "doctor", "doctor -o json", "init", "init --reset-profiles", "serve",
		"user list", "user list -o json", "user show carl", "user show nobody", "user create emil@acme.example --role client --tenant acme --display-name Emil",
		"user create anna --role viewer", "user create x --role king", "user set carl --tenant acme,globex --display-name Carl", "user set carl --disable -o yaml", "user link carl", "user link nobody",
		"user sessions vera", "user logout vera", "user clear-codes vera", "user delete vera", "user delete nobody",
		"token list", "token create onboarding --user olga --role operator --tenant acme --expires 720h", "token create x", "token create x --user carl --role admin", "token delete none",
		"audit list", "audit show 1", "audit export", "audit verify", "audit list --from yesterday", "whoami --socket /nowhere", "login http://x", "context list", "context use local", "context use nowhere", "logout nowhere",
		"webhook list", "webhook list -o yaml", "webhook show crm", "webhook show nobody", "webhook create chat https://chat.example.org/x --event job.changed --tenant acme",
		"webhook create chat http://127.0.0.1/x", "webhook set crm --url https://crm.example.org/y --event tenant. --event job.changed --disable", "webhook set crm --new-secret",
		"webhook deliveries crm", "webhook deliveries crm --state dead -o json", "webhook test crm", "webhook replay 000000000000000000000000dx", "webhook replay none", "webhook delete crm",
		"version", "version -o json", "config check", "config show", "config show --origin --config testdata/some.yaml", "config show --daemon", "config show --daemon -o json",
	}
	all := make([][]string, len(lines))
	for i, line := range lines {
		all[i] = strings.Fields(strings.NewReplacer("TARBALL", tarball, "JOB", "00000000000000000000000001", "BULK", "00000000000000000000000002").Replace(line))
	}
	return all
}

// secrets are what no two runs have alike.
var secrets = regexp.MustCompile(`(welcome#|lxdfleet_|whsec_|Token |Delivery )[\w-]{26,43}`)

func TestCommands(t *testing.T) {
	asked, lines, ran := map[string]bool{}, quick(t), 0
	for _, args := range lines {
		name := strings.Join(args, " ")
		if strings.HasPrefix(name, "image import") {
			name = "image import FILE static/1"
		}
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if _, err := b.Jobs.Submit("tenant.stop", "tenant/hooli", nil, tenants.Once{}); err != nil {
				t.Fatal(err)
			}
			if slices.Contains(args, "00000000000000000000000002") {
				b.Jobs.SubmitBulk()
			}
			if slices.Contains(args, "tenant.move") {
				if _, err := b.Jobs.Submit("tenant.move", "tenant/acme", map[string]string{"from": "n1", "to": "west:n2"}, tenants.Once{}); err != nil {
					t.Fatal(err)
				}
			}
			wire := newTap(t, b.socket)
			b.socket = wire.socket
			text := secrets.ReplaceAllString(strings.ReplaceAll(b.run(args...).String(), b.socket, "SOCKET"), "${1}RANDOM")
			golden(t, name[:min(60, len(name))], "$ lxdfleet "+name+"\n"+text)
			if ran++; wire.asked.Load() {
				asked[commandOf(t, args)] = true
			}
		})
	}
	if ran == len(lines) {
		checkAsked(t, asked)
	}
}
