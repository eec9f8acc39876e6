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
