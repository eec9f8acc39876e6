package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	advice = regexp.MustCompile(`\blxdfleet ([a-z]+) ([a-z][a-z-]*)([^:;,.()\x60\n]*)`)
	option = regexp.MustCompile(`--([a-z][a-z-]*)`)
)

// TestAdvisedCommandsExist reads all strings of the program for commands that people are told to
// run.
func TestAdvisedCommandsExist(t *testing.T) {
	root := Root(testApp(), Streams{})
	root.InitDefaultHelpCmd()
	advised := 0
	for place, text := range stringsOf(t, "..") {
		for _, m := range advice.FindAllStringSubmatch(text, -1) {
			noun, _, err := root.Find(m[1:2])
			if err != nil || noun == root || !noun.HasSubCommands() {
				continue // a command of one word, or no command at all
			}
			if m[1]+" "+m[2] == "domain proof" {
				continue // words in a hash
			}
			verb, _, err := root.Find(m[1:3])
			if err != nil || verb == noun {
				t.Errorf("%s: there is no lxdfleet %s %s", place, m[1], m[2])
				continue
			}
			advised++
			for _, flag := range option.FindAllStringSubmatch(m[3], -1) {
				if flag[1] != "help" && verb.Flags().Lookup(flag[1]) == nil && verb.InheritedFlags().Lookup(flag[1]) == nil {
					t.Errorf("%s: lxdfleet %s %s has no --%s", place, m[1], m[2], flag[1])
				}
			}
		}
	}
	if advised < 50 {
		t.Errorf("only %d commands were found: the test is blind", advised)
	}
}

// stringsOf gives the string literals of the Go files below a folder that are no tests, by place.
func stringsOf(t *testing.T, folder string) map[string]string {
	t.Helper()
	found, files := map[string]string{}, token.NewFileSet()
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || slices.ContainsFunc([]string{"_test.go", ".gen.go"}, func(s string) bool { return strings.HasSuffix(path, s) }) {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					found[files.Position(lit.Pos()).String()] = text
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
