package images

import (
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

//go:embed all:recipes
var recipes embed.FS

// BuiltinNames lists the recipes that come with lxdfleet, sorted.
func BuiltinNames() []string {
	entries, err := recipes.ReadDir("recipes")
	if err != nil {
		return nil // an embedded folder can always be read
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}

// BuiltinBundle gives a recipe that comes with lxdfleet. The error is of code NotFound and
// lists those there are.
func BuiltinBundle(name string) (Bundle, error) {
	if !slices.Contains(BuiltinNames(), name) {
		return Bundle{}, fleet.Errorf(fleet.NotFound, "there is no built-in recipe %q", name).WithField("recipe").
			WithHint("built in are %s; give a path for a recipe of your own", strings.Join(BuiltinNames(), ", "))
	}
	dir, err := fs.Sub(recipes, path.Join("recipes", name))
	if err != nil {
		return Bundle{}, fleet.Errorf(fleet.Internal, "built-in recipe %s: %w", name, err)
	}
	return loadBundle(dir, RecipeName, name+"/"+RecipeName)
}
