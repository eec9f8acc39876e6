package cli

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
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

// TestAdvisedCommandsExist reads all strings of the program, and its pages, for commands that
// people are told to run.
func TestAdvisedCommandsExist(t *testing.T) {
	root := Root(testApp(), Streams{})
	root.InitDefaultHelpCmd()
	advised := 0
	texts := stringsOf(t, "..")
	maps.Copy(texts, pages(t, "../../README.md", "../../docs/*.md"))
	for place, text := range texts {
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

// pages gives the lines of files by place. A line that ends with a backslash goes on.
func pages(t *testing.T, patterns ...string) map[string]string {
	t.Helper()
	lines := map[string]string{}
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(strings.ReplaceAll(string(data), "\\\n", ""), "\n") {
				lines[fmt.Sprintf("%s:%d", file, i+1)], _, _ = strings.Cut(line, "#")
			}
		}
	}
	return lines
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
