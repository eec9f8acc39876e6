package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inBash does what bash does when Tab is pressed after a line: it calls the function of the script, which
// asks lxdfleet; what that would say is in files.
const inBash = `
source "$1/script"
lxdfleet() { cat "$answers/$(printf %s "$*" | tr ' /' '__')"; }
answers=$1 COMP_LINE=$2 COMP_TYPE=9 COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:'
COMP_POINT=${#COMP_LINE}
shift 2
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
__start_lxdfleet 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
`

// Bash replaces what follows the last = or : only, so what stands before must not come again.
func TestCompletionInBash(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	save := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save("script", b.run("completion", "bash").out)
	program := filepath.Join(dir, "program")
	save("program", inBash)
	for _, c := range []struct {
		words string // as bash breaks the line: a + stands where there is none in the line
		want  string
	}{
		{"tenant show ", "acme globex"},
		{"tenant show gl", "globex"},
		{"tenant list --filter na", "name="},
		{"tenant list --filter name+=", "acme globex"},
		{"tenant list --filter name+=+gl", "globex"},
		{"tenant list --filter name!+=", "acme globex"},
		{"tenant list --filter name!+=+gl", "globex"},
		{"tenant list --columns+=+na", "name"},
		{"tenant list --columns name,pl", "name,plan"},
		{"move acme --to n", "n1 n2"},
	} {
		t.Run(c.words, func(t *testing.T) {
			line := strings.ReplaceAll(c.words, "+", "")
			var words []string
			for word := range strings.SplitSeq(c.words, " ") {
				words = append(words, strings.Split(word, "+")...)
			}
			asked := append([]string{"__complete"}, strings.Split(line, " ")...)
			socket := b.socket
			b.socket = ""
			t.Setenv("LXDFLEET_SOCKET", socket)
			save(strings.NewReplacer(" ", "_", "/", "_").Replace(strings.Join(asked, " ")), b.run(asked...).out)
			b.socket = socket
			out, err := exec.CommandContext(t.Context(), "bash", append([]string{program, dir, "lxdfleet " + line, "lxdfleet"}, words...)...).CombinedOutput()
			got := strings.Fields(string(out))
			slices.Sort(got)
			if err != nil || strings.Join(got, " ") != c.want {
				t.Errorf("offered %q, want %q: %v", got, c.want, err)
			}
		})
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
