package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestPick(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct {
		args string
		want []string // lines of the table without its frame
		exit int
	}{
		{"tenant list -c name,plan", []string{"NAME|PLAN", "acme|small", "globex|large"}, exitOK},
		{"tenant list --columns PLAN --columns name", []string{"PLAN|NAME", "small|acme", "large|globex"}, exitOK},
		{"tenant list -c name --filter name=ACME", []string{"NAME", "acme"}, exitOK},
		{"tenant list -c name --filter name!=acme", []string{"NAME", "globex"}, exitOK},
		{"tenant list -c name --filter plan=large --filter name=g*x", []string{"NAME", "globex"}, exitOK},
		{"tenant list -c name --filter plan=smal", []string{"NAME"}, exitOK},
		{"tenant list -c name --filter name=[a-z]*", []string{"NAME"}, exitOK},
		{"tenant list -c name --filter domains=acme.localhost", []string{"NAME", "acme"}, exitOK},
		{"domain list -c domain,as-written --filter domain=acme*", nil, exitOK},
		{"tenant list -c nome", nil, exitUsage},
		{"tenant list --filter nome=x", nil, exitUsage},
		{"tenant list --filter acme", nil, exitUsage},
	} {
		t.Run(test.args, func(t *testing.T) {
			r := b.run(strings.Fields(test.args)...)
			if r.exit != test.exit {
				t.Fatal(r)
			}
			if test.exit == exitUsage && !strings.Contains(r.err, "name, status, image") {
				t.Errorf("the error does not name the columns: %s", r.err)
			}
			if test.want == nil {
				return
			}
			var got []string
			for line := range strings.Lines(r.out) {
				if strings.HasPrefix(line, "|") {
					got = append(got, strings.ReplaceAll(strings.Trim(strings.ReplaceAll(line, " ", ""), "|\n"), "||", "|"))
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	for output, want := range map[string]string{"json": `"name": "globex"`, "yaml": "name: globex"} {
		r := b.run("tenant", "list", "-o", output, "--filter", "name=globex")
		if r.exit != exitOK || !strings.Contains(r.out, want) || strings.Contains(r.out, "acme") {
			t.Error(r)
		}
	}
	if r := b.run("tenant", "list", "-o", "json", "--filter", "name=nobody"); strings.TrimSpace(r.out) != "[]" {
		t.Error(r)
	}
}

// Every list can be narrowed, as a table and as JSON.
func TestEveryListIsPicked(t *testing.T) {
	b := newBench(t)
	visit(Root(b.app, Streams{}), func(c *cobra.Command) {
		if c.Name() != "list" || c.Flags().Lookup("columns") == nil {
			if c.Name() == "list" {
				t.Errorf("%s has no --columns", c.CommandPath())
			}
			return
		}
		words := strings.Fields(c.CommandPath())[1:]
		if strings.Contains(c.Use, " ") {
			words = append(words, "acme")
		}
		if r := b.run(append(words, "-o", "json", "--filter", "x=y")...); r.exit != exitUsage || !strings.Contains(r.err, "there is no column") {
			t.Errorf("%s: %s", c.CommandPath(), r)
		}
		offered := strings.Fields(b.run(append(append([]string{"__complete"}, words...), "--columns", "")...).out)
		if len(offered) < 2 {
			t.Errorf("%s offers %q", c.CommandPath(), offered)
			return
		}
		filter := offered[0] + "=*"
		if r := b.run(append(words, "--columns", offered[0], "--filter", filter)...); r.exit != exitOK {
			t.Errorf("%s: %s", c.CommandPath(), r)
		}
		if r := b.run(append(words, "-o", "json", "--filter", filter)...); r.exit != exitOK {
			t.Errorf("%s: %s", c.CommandPath(), r)
		}
	})
}

func visit(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, child := range c.Commands() {
		visit(child, do)
	}
}

func TestCompletionOfPicks(t *testing.T) {
	b := newBench(t)
	for typed, want := range map[string]string{
		"--columns|":                   "name status image",
		"--columns|name,":              "name,status name,image",
		"--filter|":                    "name= status= image=",
		"--filter|name=":               "name=acme name=globex",
		"--filter|name!=":              "name!=acme name!=globex",
		"--filter|nome=":               ":4",
		"--columns|x --socket /nobody": "",
	} {
		args := append([]string{"__complete", "tenant", "list"}, strings.Split(typed, "|")...)
		r := b.run(args...)
		if got := strings.Join(strings.Fields(r.out), " "); r.exit != exitOK || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", typed, r)
		}
	}
}

// Whoever types a command is offered what there is: every argument that names a thing has names.
func TestEveryNameIsCompleted(t *testing.T) {
	free := []string{ // arguments that are new names, texts, files or addresses
		"create", "build", "import", "fetch", "login", "init", "doctor", "serve", "version", "man", "help", "completion", "add", "new",
	}
	visit(Root(testApp(), Streams{}), func(c *cobra.Command) {
		_, args, has := strings.Cut(c.Use, " ")
		if c.HasSubCommands() || !has || !strings.Contains(args, "NAME") || slices.Contains(free, c.Name()) {
			return
		}
		if c.ValidArgsFunction == nil {
			t.Errorf("%s %s completes nothing", c.CommandPath(), args)
		}
	})
}

func TestCompletionScripts(t *testing.T) {
	b := newBench(t)
	for shell, mark := range map[string]string{"bash": "__start_lxdfleet", "zsh": "#compdef lxdfleet", "fish": "complete -c lxdfleet"} {
		if r := b.run("completion", shell); r.exit != exitOK || !strings.Contains(r.out, mark) {
			t.Errorf("%s: %d %.200s", shell, r.exit, r.out)
		}
	}
}

func TestManualPages(t *testing.T) {
	b := newBench(t)
	dir := filepath.Join(t.TempDir(), "man1")
	if r := b.run("man", dir); r.exit != exitOK || !strings.Contains(r.out, "read one with: man "+dir) {
		t.Fatal(r)
	}
	visit(Root(b.app, Streams{}), func(c *cobra.Command) {
		if !c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
			return
		}
		page, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"))
		if err != nil || !strings.Contains(string(page), ".SH SYNOPSIS") || strings.Contains(string(page), "Auto generated") {
			t.Errorf("%s: %v\n%.300s", c.CommandPath(), err, page)
		}
	})
	again := filepath.Join(t.TempDir(), "again")
	b.run("man", again)
	one, _ := os.ReadFile(filepath.Join(dir, "lxdfleet-tenant-list.1"))
	two, err := os.ReadFile(filepath.Join(again, "lxdfleet-tenant-list.1"))
	if err != nil || string(one) != string(two) || !strings.Contains(string(one), "lxdfleet 1.2.3") {
		t.Errorf("the pages differ from one time to the next: %v", err)
	}
}
