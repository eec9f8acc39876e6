package images

import (
	"maps"
	"path"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Recipe says how a golden image is built. Values come from ParseRecipe and are valid.
type Recipe struct {
	Name string `yaml:"name"`
	// Version of the image; empty: the day and a number, such as 2026.11.21-1.
	Version     string `yaml:"version"`
	Description string `yaml:"description"`
	Base        Base   `yaml:"base"`
	// Packages are installed with apt, after an update and upgrade, without recommended ones.
	Packages []string `yaml:"packages"`
	// Files are put in place after the packages, in order.
	Files []RecipeFile `yaml:"files"`
	// Steps run after the files, in order, by `sh -eu`, as root. A step that is cut short by a
	// restart of the daemon is run again from its beginning.
	Steps []BuildStep `yaml:"steps"`
	// Hooks by name: see HookNames.
	Hooks  map[string]Script `yaml:"hooks"`
	HTTP   HTTP              `yaml:"http"`
	Health Health            `yaml:"health"`
	// Env is set for the steps only; it is not in the image.
	Env map[string]string `yaml:"env"`
}

// Base says what the image starts from. Exactly one field is set.
type Base struct {
	// Alias (or fingerprint) of an image in the LXD project.
	Alias string `yaml:"alias"`
	// Image is another golden image, NAME or NAME/VERSION.
	Image string `yaml:"image"`
	// Remote is an image of an image server that Sources allows.
	Remote *Remote `yaml:"remote"`
	// Tarball is a unified LXD image: a path in the bundle, or an absolute path on the daemon's
	// host, in a folder that Sources allows.
	Tarball string `yaml:"tarball"`
	// Debootstrap makes a minimal Debian system on the daemon's host.
	Debootstrap *Debootstrap `yaml:"debootstrap"`
}

// Remote is an image of an image server.
type Remote struct {
	Server   string `yaml:"server"`   // https URL
	Protocol string `yaml:"protocol"` // simplestreams (default) or lxd
	Alias    string `yaml:"alias"`
}

// Debootstrap says which Debian system to make.
type Debootstrap struct {
	Suite string `yaml:"suite"` // such as bookworm
	// Mirror is a URL that Sources allows; empty: the one the daemon's host has in its own apt sources, or, where
	// it has none of the suite, debootstrap's own.
	Mirror     string   `yaml:"mirror"`
	Components []string `yaml:"components"` // empty: main
	Include    []string `yaml:"include"`    // packages besides systemd and what a network needs
}

// RecipeFile is a file to put into the image.
type RecipeFile struct {
	Path    string `yaml:"path"`    // absolute, in the image
	Source  string `yaml:"source"`  // path in the bundle
	Content string `yaml:"content"` // instead of Source
	Mode    string `yaml:"mode"`    // octal; empty: 0644
	Owner   string `yaml:"owner"`   // user or user:group; empty: root
}

// Script is a shell script: its text, or the bundle's file that holds it. In a recipe a hook
// may also be the text alone.
type Script struct {
	Run    string `yaml:"run"`
	Source string `yaml:"source"`
}

// BuildStep is a script of the build, run as root in the instance.
type BuildStep struct {
	Name   string `yaml:"name"`
	Run    string `yaml:"run"`
	Source string `yaml:"source"`
	// Timeout ends the step; 0: DefaultStepTimeout.
	Timeout time.Duration `yaml:"timeout"`
}

// HTTP says where the application listens.
type HTTP struct {
	Port int `yaml:"port"` // 0: 80
}

// Health says when a clone is well.
type Health struct {
	Path    string        `yaml:"path"`   // empty: /
	Status  int           `yaml:"status"` // 0: any from 200 to 399
	Body    string        `yaml:"body"`   // text the answer contains
	Timeout time.Duration `yaml:"timeout"`
}

// DefaultStepTimeout ends a step that says nothing of its own time.
const DefaultStepTimeout = 30 * time.Minute

// RecipeName is the name of a recipe's file where a folder is given.
const RecipeName = "recipe.yaml"

// HookNames lists the hooks an image may have:
//
//	personalize    after the first start of a clone and after a change of its domains
//	health         exits 0 while the application is well
//	check          exits 0 where the application's data are whole; prints what it looked at
//	pre-snapshot   holds the application still until its standard input ends
//	post-snapshot  after that, in any case
//	pre-upgrade    before a tenant leaves this version; upgrade: once it runs the new one
func HookNames() []string {
	return []string{"check", "health", "personalize", "post-snapshot", "pre-snapshot", "pre-upgrade", "upgrade"}
}

// HealthCheck gives the recipe's health check with the defaults filled in.
func (r Recipe) HealthCheck() fleet.HealthCheck {
	h := fleet.DefaultHealth()
	if r.HTTP.Port != 0 {
		h.Port = r.HTTP.Port
	}
	if r.Health.Path != "" {
		h.Path = r.Health.Path
	}
	if r.Health.Timeout != 0 {
		h.Timeout = r.Health.Timeout
	}
	h.Status, h.Body = r.Health.Status, r.Health.Body
	return h
}

// HookList gives the names of the recipe's hooks, sorted.
func (r Recipe) HookList() []string { return slices.Sorted(maps.Keys(r.Hooks)) }

// Sources gives the bundle's files the recipe names, sorted, each once.
func (r Recipe) Sources() []string {
	var out []string
	add := func(source string) {
		if source != "" {
			out = append(out, path.Clean(source))
		}
	}
	if !path.IsAbs(r.Base.Tarball) {
		add(r.Base.Tarball)
	}
	for _, f := range r.Files {
		add(f.Source)
	}
	for _, s := range r.Steps {
		add(s.Source)
	}
	for _, h := range r.Hooks {
		add(h.Source)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
