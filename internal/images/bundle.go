package images

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// MaxBundle is the largest bundle in bytes. Larger things (tarballs, dumps) belong on the
// daemon's host or are fetched by a step.
const MaxBundle = 16 << 20

// Bundle is a recipe with the files it names, ready to travel and to be stored. The same
// recipe and files give the same bytes, on every machine.
type Bundle struct {
	Recipe Recipe
	Hash   string // SHA-256 of Tar, in hexadecimal
	Tar    []byte

	files map[string][]byte
}

// LoadBundle reads the recipe at path, a file or a folder that holds recipe.yaml, with the
// files it names. Symbolic links may not lead out of the recipe's folder. Errors: NotFound
// where a file is missing, else Invalid.
func LoadBundle(name string) (Bundle, error) {
	if st, err := os.Stat(name); err == nil && st.IsDir() {
		name = filepath.Join(name, RecipeName)
	}
	dir, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return Bundle{}, missing(name, err)
	}
	defer dir.Close()
	return loadBundle(dir.FS(), filepath.Base(name), name)
}

// loadBundle reads the recipe file in dir; shown is its name in messages.
func loadBundle(dir fs.FS, file, shown string) (Bundle, error) {
	source, err := readUpTo(dir, file, MaxBundle)
	if err != nil {
		return Bundle{}, missing(shown, err)
	}
	recipe, err := ParseRecipe(shown, source)
	if err != nil {
		return Bundle{}, err
	}
	files := map[string][]byte{RecipeName: source}
	left := int64(MaxBundle - len(source))
	for _, name := range recipe.Sources() {
		content, err := readUpTo(dir, name, left)
		if err != nil {
			return Bundle{}, missing(path.Join(path.Dir(filepath.ToSlash(shown)), name), err)
		}
		files[name] = content
		left -= int64(len(content))
	}
	return makeBundle(recipe, files)
}

func missing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fleet.Errorf(fleet.NotFound, "%s does not exist", name).WithField("recipe").
			WithHint("give the path of a recipe or of a folder with %s in it", RecipeName)
	}
	if _, ok := errors.AsType[*fleet.Error](err); ok {
		return err
	}
	return fleet.Errorf(fleet.Invalid, "read %s: %w", name, err).WithField("recipe")
}

func readUpTo(dir fs.FS, name string, limit int64) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, fleet.Errorf(fleet.Invalid, "the recipe with its files is larger than %s", fleet.Size(MaxBundle)).
			WithField("recipe").WithHint("put large files on the daemon's host or fetch them in a step; %s did not fit", name)
	}
	return content, nil
}

// OpenBundle reads a bundle back from its bytes. Nothing of it is trusted: paths, sizes and
// the recipe are checked anew, and files the recipe does not name are refused.
func OpenBundle(content []byte) (Bundle, error) {
	files := map[string][]byte{}
	r := tar.NewReader(io.LimitReader(bytes.NewReader(content), MaxBundle*2))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Bundle{}, badBundle("it is not a tar: %v", err)
		}
		if h.Typeflag != tar.TypeReg || !isLocal(h.Name) || path.Clean(h.Name) != h.Name {
			return Bundle{}, badBundle("%q is not a plain file with a plain name", h.Name)
		}
		if _, twice := files[h.Name]; twice {
			return Bundle{}, badBundle("%q is in it twice", h.Name)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			return Bundle{}, badBundle("it is cut short: %v", err)
		}
	}
	source, ok := files[RecipeName]
	if !ok {
		return Bundle{}, badBundle("it holds no %s", RecipeName)
	}
	recipe, err := ParseRecipe(RecipeName, source)
	if err != nil {
		return Bundle{}, err
	}
	want := append(recipe.Sources(), RecipeName)
	for name := range files {
		if !slices.Contains(want, name) {
			return Bundle{}, badBundle("%q is in it, but the recipe does not name it", name)
		}
	}
	for _, name := range want {
		if _, ok := files[name]; !ok {
			return Bundle{}, badBundle("the recipe names %q, which is not in it", name)
		}
	}
	return makeBundle(recipe, files)
}

func badBundle(format string, args ...any) error {
	return fleet.Errorf(fleet.Invalid, "bad recipe bundle: %s", fmt.Sprintf(format, args...)).
		WithField("recipe").WithHint("send it with `lxdfleet image build`, which makes it")
}

// makeBundle writes the files in order of name, with nothing in the headers that differs
// between machines.
func makeBundle(recipe Recipe, files map[string][]byte) (Bundle, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[name])),
			ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
		}
		if err := w.WriteHeader(h); err != nil {
			return Bundle{}, fleet.Errorf(fleet.Invalid, "bundle %s: %w", name, err)
		}
		if _, err := w.Write(files[name]); err != nil {
			return Bundle{}, fleet.Errorf(fleet.Internal, "bundle %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return Bundle{}, fleet.Errorf(fleet.Internal, "bundle: %w", err)
	}
	if buf.Len() > MaxBundle {
		return Bundle{}, fleet.Errorf(fleet.Invalid, "the recipe with its files is larger than %s", fleet.Size(MaxBundle)).
			WithField("recipe").WithHint("put large files on the daemon's host or fetch them in a step")
	}
	sum := sha256.Sum256(buf.Bytes())
	return Bundle{Recipe: recipe, Hash: hex.EncodeToString(sum[:]), Tar: buf.Bytes(), files: files}, nil
}

// File gives the content of a file the recipe names; nil where it names none of that name.
func (b Bundle) File(name string) []byte { return b.files[path.Clean(name)] }

// script gives a script's text.
func (b Bundle) script(s Script) []byte {
	if s.Source != "" {
		return b.File(s.Source)
	}
	return []byte(s.Run)
}
