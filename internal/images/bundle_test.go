package images

import (
	"archive/tar"
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// tarOf makes a tar of names and contents; a name that ends in a slash is a folder.
func tarOf(t testing.TB, files ...string) []byte {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for i := 0; i < len(files); i += 2 {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: files[i], Mode: 0o600, Size: int64(len(files[i+1]))}
		if strings.HasSuffix(files[i], "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

const tinyRecipe = "name: tiny\nbase: {alias: x}\nsteps: [{name: a, source: a.sh}]\n"

func TestBundleIsTheSameEverywhere(t *testing.T) {
	dir := t.TempDir()
	do(t, os.WriteFile(filepath.Join(dir, RecipeName), []byte(tinyRecipe), 0o600))
	do(t, os.WriteFile(filepath.Join(dir, "a.sh"), []byte("echo a\n"), 0o755))
	do(t, os.WriteFile(filepath.Join(dir, "unrelated"), []byte("x"), 0o600))
	first, err := LoadBundle(dir)
	do(t, err)
	do(t, os.Chmod(filepath.Join(dir, "a.sh"), 0o600))
	do(t, os.Rename(filepath.Join(dir, RecipeName), filepath.Join(dir, "mine.yaml")))
	second, err := LoadBundle(filepath.Join(dir, "mine.yaml"))
	do(t, err)
	third, err := OpenBundle(tarOf(t, RecipeName, tinyRecipe, "a.sh", "echo a\n"))
	do(t, err)
	// A recipe's hash is its lineage: it may change only with the recipe, never with the program.
	const want = "6db74df6e277c0ae"
	for i, b := range []Bundle{first, second, third} {
		if b.Hash != first.Hash || !bytes.Equal(b.Tar, first.Tar) {
			t.Errorf("bundle %d differs", i)
		}
	}
	if !strings.HasPrefix(first.Hash, want) {
		t.Errorf("hash %s, want %s…: bundles of recipes that did not change have another hash now", first.Hash, want)
	}
	if string(first.File("./a.sh")) != "echo a\n" || first.File("b.sh") != nil {
		t.Error("files are not found by name")
	}
	do(t, os.WriteFile(filepath.Join(dir, "a.sh"), []byte("echo b\n"), 0o600))
	changed, err := LoadBundle(filepath.Join(dir, "mine.yaml"))
	if do(t, err); changed.Hash == first.Hash {
		t.Error("another file, the same hash")
	}
}

func TestLoadBundleRefuses(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	do(t, os.WriteFile(outside, []byte("secret"), 0o600))
	tests := []struct {
		name string
		make func(dir string) error
		code fleet.Code
		says string
	}{
		{"nothing there", func(string) error { return nil }, fleet.NotFound, "does not exist"},
		{"a file is missing", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, RecipeName), []byte(tinyRecipe), 0o600)
		}, fleet.NotFound, "a.sh does not exist"},
		{"a bad recipe", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, RecipeName), []byte("name: A\n"), 0o600)
		}, fleet.Invalid, "recipe.yaml:1: "},
		{"a link that leads out", func(dir string) error {
			if err := os.Symlink(outside, filepath.Join(dir, "a.sh")); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, RecipeName), []byte(tinyRecipe), 0o600)
		}, fleet.Invalid, "a.sh"},
		{"too large", func(dir string) error {
			if err := os.WriteFile(filepath.Join(dir, "a.sh"), make([]byte, MaxBundle), 0o600); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, RecipeName), []byte(tinyRecipe), 0o600)
		}, fleet.Invalid, "larger than"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			do(t, test.make(dir))
			_, err := LoadBundle(dir)
			if fleet.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want %s with %q", err, test.code, test.says)
			}
		})
	}
}

func TestOpenBundleRefuses(t *testing.T) {
	tests := []struct {
		name string
		tar  []byte
		says string
	}{
		{"no tar", []byte(strings.Repeat("x", 2000)), "not a tar"},
		{"cut short", tarOf(t, RecipeName, tinyRecipe, "a.sh", "echo")[:530], "cut short"},
		{"no recipe", tarOf(t, "a.sh", "x"), "holds no recipe.yaml"},
		{"a file too many", tarOf(t, RecipeName, tinyRecipe, "a.sh", "x", "b.sh", "x"), `"b.sh" is in it`},
		{"a file too few", tarOf(t, RecipeName, tinyRecipe), `names "a.sh"`},
		{"a file twice", tarOf(t, RecipeName, tinyRecipe, "a.sh", "x", "a.sh", "y"), "twice"},
		{"a folder", tarOf(t, RecipeName, tinyRecipe, "a.sh/", ""), "plain file"},
		{"a path that climbs", tarOf(t, RecipeName, tinyRecipe, "../a.sh", "x"), "plain"},
		{"an absolute path", tarOf(t, RecipeName, tinyRecipe, "/a.sh", "x"), "plain"},
		{"a bad recipe", tarOf(t, RecipeName, "name: A\n"), "recipe.yaml:1"},
		{"too large", tarOf(t, RecipeName, tinyRecipe, "a.sh", strings.Repeat("x", MaxBundle)), "larger than"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := OpenBundle(test.tar)
			wantError(t, err, fleet.Invalid, "", test.says)
		})
	}
}

func TestScriptIsTextOrFile(t *testing.T) {
	b, err := loadBundle(fstest.MapFS{
		RecipeName: {Data: []byte("name: a\nbase: {alias: x}\nhooks: {health: 'exit 1', personalize: {source: p.sh}}\n")},
		"p.sh":     {Data: []byte("p")},
	}, RecipeName, RecipeName)
	do(t, err)
	got := map[string]string{}
	for name, hook := range b.Recipe.Hooks {
		got[name] = string(b.script(hook))
	}
	if !maps.Equal(got, map[string]string{"health": "exit 1", "personalize": "p"}) {
		t.Errorf("hooks %v", got)
	}
}

func FuzzOpenBundle(f *testing.F) {
	f.Add(tarOf(f, RecipeName, tinyRecipe, "a.sh", "echo"))
	f.Add(tarOf(f, "a.sh", "echo", RecipeName, tinyRecipe))
	f.Add(tarOf(f, RecipeName, shopRecipe, "health.sh", ""))
	f.Add(tarOf(f, RecipeName, tinyRecipe, "../a.sh", "echo"))
	f.Fuzz(func(t *testing.T, content []byte) {
		b, err := OpenBundle(content)
		if err != nil {
			if e, ok := asFleet(err); !ok || e.Code != fleet.Invalid || e.Hint == "" {
				t.Fatalf("error %#v", err)
			}
			return
		}
		// What is accepted is stored in one form only, and opens again as the same.
		again, err := OpenBundle(b.Tar)
		if err != nil || again.Hash != b.Hash || !bytes.Equal(again.Tar, b.Tar) || len(b.Tar) > MaxBundle {
			t.Fatalf("opened again: %v, hash %s, was %s", err, again.Hash, b.Hash)
		}
		names := slices.Sorted(maps.Keys(b.files))
		want := slices.Sorted(slices.Values(append(b.Recipe.Sources(), RecipeName)))
		if !slices.Equal(names, want) {
			t.Errorf("holds %v, the recipe names %v", names, want)
		}
	})
}
