package images

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// wholeRecipe has every key; the tests of mistakes change one thing in it each.
const wholeRecipe = `name: shop
version: "2"
description: A shop
base:
  debootstrap:
    suite: bookworm
    mirror: http://mirror.example/debian
    components: [main, contrib]
    include: [nano]
packages:
  - nginx
  - php8.2-fpm=8.2.1-1
files:
  - path: /etc/a.conf
    source: files/a.conf
    mode: "0640"
    owner: root:www-data
  - path: /etc/b.conf
    content: b
steps:
  - name: one
    run: echo one
    timeout: 10m
  - name: two
    source: two.sh
hooks:
  personalize:
    source: hook.sh
  health: |
    exit 0
  pre-snapshot:
    run: sync
http:
  port: 8080
health:
  path: /ok
  status: 204
  body: well
  timeout: 90s
env:
  LEVEL: "7"
  timeout: "8"
`

func TestParseRecipe(t *testing.T) {
	r, err := ParseRecipe("shop.yaml", []byte(wholeRecipe))
	do(t, err)
	want := fleet.HealthCheck{Port: 8080, Path: "/ok", Status: 204, Body: "well", Timeout: 90 * time.Second}
	if r.HealthCheck() != want {
		t.Errorf("health check %+v, want %+v", r.HealthCheck(), want)
	}
	if got, want := r.Sources(), []string{"files/a.conf", "hook.sh", "two.sh"}; !slices.Equal(got, want) {
		t.Errorf("sources %v, want %v", got, want)
	}
	if got, want := r.HookList(), []string{"health", "personalize", "pre-snapshot"}; !slices.Equal(got, want) {
		t.Errorf("hooks %v, want %v", got, want)
	}
	if h := r.Hooks["health"]; h != (Script{Run: "exit 0\n"}) {
		t.Errorf("a hook given as text: %+v", h)
	}
	if h := r.Hooks["pre-snapshot"]; h != (Script{Run: "sync"}) {
		t.Errorf("a hook given by run: %+v", h)
	}
	if s := r.Steps[0]; s.Run != "echo one" || s.Timeout != 10*time.Minute {
		t.Errorf("step %+v", s)
	}
	if d := r.Base.Debootstrap; d.Suite != "bookworm" || len(d.Components) != 2 || len(d.Include) != 1 {
		t.Errorf("base %+v", d)
	}
}

func TestParseRecipeDefaults(t *testing.T) {
	r, err := ParseRecipe("r", []byte("name: a\nbase: {alias: x}\n"))
	do(t, err)
	if r.HealthCheck() != fleet.DefaultHealth() {
		t.Errorf("health check %+v, want the default", r.HealthCheck())
	}
}

func TestParseRecipeMistakes(t *testing.T) {
	tests := []struct {
		name, old, replacement string
		line                   int // in the changed recipe; 0: the message names none
		says, hint             string
	}{
		{"unknown key", "description: A shop", "subtitle: A shop", 3, "subtitle", "spelling"},
		{"unknown key in a step", "    run: echo one", "    ran: echo one", 22, "ran", "spelling"},
		{"unknown key in a hook", "    source: hook.sh", "    src: hook.sh", 28, "src", "spelling"},
		{"key twice", "description: A shop", "name: blog", 3, "name", "correct this line"},
		{"not YAML", "packages:\n", "packages: [\n", 13, "", "correct this line"},
		{"wrong type", "port: 8080", "port: http", 34, "", "correct this line"},
		{"two documents", "env:\n", "---\nenv:\n", 0, "2 documents", "---"},
		{"no name", "name: shop\n", "", 0, "no name", "name: wordpress"},
		{"bad name", "name: shop", "name: Shop", 1, `"Shop"`, "lower-case"},
		{"name with version", "name: shop", "name: shop/1", 1, `"shop/1"`, "lower-case"},
		{"bad version", `version: "2"`, `version: "2 beta"`, 2, "2 beta", "letters, digits"},
		{"two bases", "base:\n", "base:\n  alias: debian\n", 5, "given 2 times", "exactly one"},
		{"bad suite", "suite: bookworm", "suite: Debian 12", 6, "Debian 12", "bookworm"},
		{"bad mirror", "http://mirror.example/debian", "ftp://mirror.example", 7, "ftp://", "leave it out"},
		{"bad component", "[main, contrib]", "[main, ' ']", 8, "component", "main"},
		{"bad included package", "[nano]", "[Nano]", 9, "Nano", "package"},
		{"bad package", "  - nginx", "  - 'nginx; reboot'", 11, "nginx; reboot", "package"},
		{"package that is an option", "  - nginx", "  - --allow-unauthenticated", 11, "--allow", "package"},
		{"relative path", "/etc/a.conf", "etc/a.conf", 14, "etc/a.conf", "absolute"},
		{"path that climbs", "/etc/a.conf", "/etc/../a", 14, "/etc/../a", "without .."},
		{"source and content", "    content: b", "    content: b\n    source: b", 18, "both", "one of them"},
		{"source outside", "files/a.conf", "../a.conf", 15, "../a.conf", "relative to the recipe"},
		{"absolute source", "files/a.conf", "/etc/passwd", 15, "/etc/passwd", "relative to the recipe"},
		{"recipe as source", "files/a.conf", "./recipe.yaml", 15, "itself", "another file"},
		{"bad mode", `"0640"`, `"0999"`, 16, "0999", "octal"},
		{"bad owner", "root:www-data", "root;www", 17, "root;www", "user:group"},
		{"step without name", "  - name: one\n    run: echo one", "  - run: echo one", 21, "no name", "name"},
		{"step name of two lines", "- name: one", `- name: "a\nb"`, 21, "one line", "name"},
		{"same name twice", "name: two", "name: one", 24, `two steps are named "one"`, "own name"},
		{"step without script", "    run: echo one\n", "", 21, "given once", "either run"},
		{"step with two scripts", "    run: echo one", "    run: echo one\n    source: x", 21, "given once", "either run"},
		{"long timeout", "timeout: 10m", "timeout: 48h", 23, "48h", "24h"},
		{"no timeout", "timeout: 10m", "timeout: soon", 23, "soon", "with its unit"},
		{"timeout without unit", "timeout: 90s", "timeout: 90", 39, "90", "with its unit"},
		{"fraction of a timeout", "timeout: 90s", "timeout: 1.5", 39, "1.5", "with its unit"},
		{"unknown hook", "  pre-snapshot:", "  before-snapshot:", 0, "before-snapshot", "pre-snapshot"},
		{"empty hook", "    run: sync", "    run: ''", 32, "given once", "either run"},
		{"hook of another kind", "  health: |\n    exit 0", "  health: [exit]", 29, "its text", "correct this line"},
		{"bad port", "port: 8080", "port: 80800", 34, "80800", "65535"},
		{"health path", "path: /ok", "path: ok", 36, `"ok"`, "slash"},
		{"health status", "status: 204", "status: 42", 37, "42", "599"},
		{"health timeout", "timeout: 90s", "timeout: 2h", 39, "2h", "1h"},
		{"bad variable", "  LEVEL:", "  MY-LEVEL:", 41, "MY-LEVEL", "underscores"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if strings.Count(wholeRecipe, test.old) == 0 {
				t.Fatalf("the recipe has no %q", test.old)
			}
			_, err := ParseRecipe("shop.yaml", []byte(strings.Replace(wholeRecipe, test.old, test.replacement, 1)))
			wantError(t, err, fleet.Invalid, "", test.says, test.hint)
			want := "shop.yaml: "
			if test.line > 0 {
				want = fmt.Sprintf("shop.yaml:%d: ", test.line)
			}
			e, _ := asFleet(err)
			if !strings.HasPrefix(e.Message, want) && test.line > 0 {
				t.Errorf("error %q does not start with %q", e.Message, want)
			}
			if strings.Contains(e.Message, "\n") {
				t.Errorf("error %q has more than one line", e.Message)
			}
		})
	}
}

func TestParseRecipeEmpty(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n"} {
		_, err := ParseRecipe("r.yaml", []byte(text))
		wantError(t, err, fleet.Invalid, "", "r.yaml")
	}
}

// What two recipes share lies in the folder of each, and has to stay the same.
func TestSharedFilesOfRecipes(t *testing.T) {
	for _, name := range []string{"hold.php", "check.php", "pre-snapshot.sh", "quiet-generator.sh", "outgoing.sh"} {
		one, err := recipes.ReadFile("recipes/wordpress/files/" + name)
		do(t, err)
		two, err := recipes.ReadFile("recipes/mautic/files/" + name)
		do(t, err)
		if string(one) != string(two) {
			t.Errorf("files/%s of wordpress and of mautic differ", name)
		}
	}
}

func TestBuiltinRecipes(t *testing.T) {
	if got := BuiltinNames(); !slices.Equal(got, []string{"mautic", "static", "wordpress"}) {
		t.Fatalf("built in are %v", got)
	}
	for _, name := range BuiltinNames() {
		t.Run(name, func(t *testing.T) {
			b, err := BuiltinBundle(name)
			do(t, err)
			if b.Recipe.Name != name || b.Recipe.Version == "" || b.Recipe.Description == "" {
				t.Errorf("name %q, version %q, description %q", b.Recipe.Name, b.Recipe.Version, b.Recipe.Description)
			}
			if _, ok := b.Recipe.Hooks["personalize"]; !ok {
				t.Error("no personalize hook: its clones would share their secrets")
			}
			onDisk, err := LoadBundle("recipes/" + name)
			if do(t, err); onDisk.Hash != b.Hash {
				t.Error("the folder gives another bundle than the binary")
			}
		})
	}
	_, err := BuiltinBundle("joomla")
	wantError(t, err, fleet.NotFound, "recipe", "mautic, static, wordpress")
}

func FuzzParseRecipe(f *testing.F) {
	f.Add([]byte(wholeRecipe))
	f.Add([]byte(shopRecipe))
	f.Add([]byte("name: a\nbase: {tarball: b.tar}\nhooks: {health: x}\n"))
	f.Add([]byte("a: &a [*a]\n---\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseRecipe("r.yaml", text)
		if err != nil {
			e, ok := asFleet(err)
			if !ok || e.Code != fleet.Invalid || e.Hint == "" || !strings.HasPrefix(e.Message, "r.yaml") {
				t.Fatalf("error %#v", err)
			}
			return
		}
		// What is accepted can be built: it is valid, and reaches for nothing outside its folder.
		if p := r.validate(); p != nil {
			t.Errorf("accepted, but %+v", p)
		}
		if _, err := fleet.ParseImageRef(r.Name); err != nil || !validHealth(r.HealthCheck()) {
			t.Errorf("name %q, health %+v", r.Name, r.HealthCheck())
		}
		for _, source := range r.Sources() {
			if !isLocal(source) || source == RecipeName {
				t.Errorf("source %q", source)
			}
		}
	})
}
