package images

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// problem is what is wrong with a recipe, where, and what to do about it.
type problem struct{ path, message, hint string }

var (
	packageRule = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=[A-Za-z0-9.+:~-]+)?$`)
	suiteRule   = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	ownerRule   = regexp.MustCompile(`^[a-z_][a-z0-9_-]*(:[a-z_][a-z0-9_-]*)?$|^[0-9]+(:[0-9]+)?$`)
	envRule     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func (r Recipe) validate() *problem {
	for _, check := range []func() *problem{
		r.validateName, r.Base.validate, r.validatePackages, r.validateFiles,
		r.validateSteps, r.validateHooks, r.validateHealth, r.validateEnv,
	} {
		if p := check(); p != nil {
			return p
		}
	}
	return nil
}

func (r Recipe) validateName() *problem {
	if r.Name == "" {
		return &problem{"name", "the recipe has no name", "add a line such as name: wordpress"}
	}
	if ref, err := fleet.ParseImageRef(r.Name); err != nil || ref.Version != "" {
		return &problem{
			"name", fmt.Sprintf("%q is not an image name", r.Name),
			"use 1 to 63 lower-case letters, digits and hyphens, starting with a letter",
		}
	}
	if r.Version == "" {
		return nil
	}
	if _, err := fleet.ParseImageRef(r.Name + "/" + r.Version); err != nil {
		return &problem{
			"version", fmt.Sprintf("%q is not a version", r.Version),
			"use 1 to 63 letters, digits, dots, underscores and hyphens, or leave it out for the day's date",
		}
	}
	return nil
}

func (b Base) validate() *problem {
	given := 0
	for _, set := range []bool{b.Alias != "", b.Image != "", b.Remote != nil, b.Tarball != "", b.Debootstrap != nil} {
		if set {
			given++
		}
	}
	if given != 1 {
		return &problem{
			"base", fmt.Sprintf("the base is given %d times", given),
			"give exactly one of alias, image, remote, tarball and debootstrap",
		}
	}
	switch {
	case b.Image != "":
		if _, err := fleet.ParseImageRef(b.Image); err != nil {
			return &problem{"base.image", fmt.Sprintf("%q is not an image name", b.Image), "write NAME or NAME/VERSION"}
		}
	case b.Remote != nil:
		return b.Remote.validate()
	case b.Tarball != "" && !path.IsAbs(b.Tarball):
		return validateSource("base.tarball", b.Tarball)
	case b.Debootstrap != nil:
		return b.Debootstrap.validate()
	}
	return nil
}

func (r Remote) validate() *problem {
	if !isURL(r.Server, "https") {
		return &problem{"base.remote.server", fmt.Sprintf("%q is not an image server", r.Server), "write its https URL"}
	}
	if r.Protocol != "" && r.Protocol != "simplestreams" && r.Protocol != "lxd" {
		return &problem{"base.remote.protocol", fmt.Sprintf("%q is not a protocol", r.Protocol), "write simplestreams or lxd"}
	}
	if r.Alias == "" {
		return &problem{"base.remote", "the remote image has no alias", "add alias, such as debian/12"}
	}
	return nil
}

func (d Debootstrap) validate() *problem {
	if !suiteRule.MatchString(d.Suite) {
		return &problem{"base.debootstrap.suite", fmt.Sprintf("%q is not a suite", d.Suite), "write a release's code name, such as bookworm"}
	}
	if d.Mirror != "" && !isURL(d.Mirror, "http", "https") {
		return &problem{"base.debootstrap.mirror", fmt.Sprintf("%q is not a mirror", d.Mirror), "write its http or https URL, or leave it out"}
	}
	for i, c := range d.Components {
		if !suiteRule.MatchString(c) {
			return &problem{fmt.Sprintf("base.debootstrap.components[%d]", i), fmt.Sprintf("%q is not a component", c), "write such as main or contrib"}
		}
	}
	for i, p := range d.Include {
		if !packageRule.MatchString(p) {
			return &problem{fmt.Sprintf("base.debootstrap.include[%d]", i), fmt.Sprintf("%q is not a package name", p), "write a Debian package's name"}
		}
	}
	return nil
}

func isURL(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && slices.Contains(schemes, u.Scheme) && !strings.ContainsAny(s, " \t\n")
}

func (r Recipe) validatePackages() *problem {
	for i, p := range r.Packages {
		if !packageRule.MatchString(p) {
			return &problem{fmt.Sprintf("packages[%d]", i), fmt.Sprintf("%q is not a package name", p), "write a Debian package's name, or name=version"}
		}
	}
	return nil
}

func (r Recipe) validateFiles() *problem {
	for i, f := range r.Files {
		at := fmt.Sprintf("files[%d]", i)
		if !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || f.Path == "/" || strings.ContainsRune(f.Path, 0) {
			return &problem{at + ".path", fmt.Sprintf("%q is not a path in the image", f.Path), "write an absolute path without .. or a final slash"}
		}
		if f.Source != "" && f.Content != "" {
			return &problem{at, "the file has both source and content", "give one of them"}
		}
		if f.Source != "" {
			if p := validateSource(at+".source", f.Source); p != nil {
				return p
			}
		}
		if _, err := parseMode(f.Mode); err != nil {
			return &problem{at + ".mode", fmt.Sprintf("%q is not a mode", f.Mode), `write it in octal and in quotes, such as "0640"`}
		}
		if f.Owner != "" && !ownerRule.MatchString(f.Owner) {
			return &problem{at + ".owner", fmt.Sprintf("%q is not an owner", f.Owner), "write user or user:group"}
		}
	}
	return nil
}

// parseMode reads an octal mode; empty is 0644.
func parseMode(s string) (uint32, error) {
	if s == "" {
		return 0o644, nil
	}
	m, err := strconv.ParseUint(s, 8, 32)
	if err != nil || m > 0o7777 {
		return 0, fmt.Errorf("mode %q is not octal, 0 to 7777", s)
	}
	return uint32(m), nil
}

func validateSource(at, source string) *problem {
	if path.IsAbs(source) || !isLocal(source) {
		return &problem{at, fmt.Sprintf("%q is not a path beside the recipe", source), "write a path relative to the recipe, without .."}
	}
	if path.Clean(source) == RecipeName {
		return &problem{at, "the recipe itself cannot be a source", "name another file"}
	}
	return nil
}

// isLocal reports whether a slash-separated path stays below its folder.
func isLocal(p string) bool {
	c := path.Clean(p)
	return c != "." && c != ".." && !strings.HasPrefix(c, "../") && !path.IsAbs(c) && !strings.ContainsAny(p, "\x00\\")
}

func (r Recipe) validateSteps() *problem {
	seen := map[string]bool{}
	for i, s := range r.Steps {
		at := fmt.Sprintf("steps[%d]", i)
		if s.Name == "" || len(s.Name) > 100 || strings.ContainsAny(s.Name, "\n\r\x00") {
			return &problem{at, "the step has no name of one line, up to 100 bytes", "add a name: its output and errors are shown under it"}
		}
		if seen[s.Name] {
			return &problem{at + ".name", fmt.Sprintf("two steps are named %q", s.Name), "give each step its own name"}
		}
		seen[s.Name] = true
		if p := (Script{Run: s.Run, Source: s.Source}).validate(at); p != nil {
			return p
		}
		if s.Timeout < 0 || s.Timeout > 24*time.Hour {
			return &problem{at + ".timeout", fmt.Sprintf("a timeout of %s is out of range", s.Timeout), "write a time up to 24h, such as 10m"}
		}
	}
	return nil
}

func (s Script) validate(at string) *problem {
	if (s.Run == "") == (s.Source == "") {
		return &problem{at, "the script has to be given once", "give either run (the script's text) or source (its file)"}
	}
	if s.Source != "" {
		return validateSource(at+".source", s.Source)
	}
	return nil
}

func (r Recipe) validateHooks() *problem {
	for _, name := range r.HookList() {
		if !slices.Contains(HookNames(), name) {
			return &problem{"hooks", fmt.Sprintf("there is no hook %q", name), "use " + strings.Join(HookNames(), ", ")}
		}
		if p := r.Hooks[name].validate("hooks." + name); p != nil {
			return p
		}
	}
	return nil
}

func (r Recipe) validateHealth() *problem {
	if r.HTTP.Port < 0 || r.HTTP.Port > 65535 {
		return &problem{"http.port", fmt.Sprintf("%d is not a port", r.HTTP.Port), "write 1 to 65535"}
	}
	h := r.Health
	if h.Path != "" && (!strings.HasPrefix(h.Path, "/") || strings.ContainsAny(h.Path, " \t\r\n\x00#")) {
		return &problem{"health.path", fmt.Sprintf("%q is not a path", h.Path), "write a path that starts with a slash, such as /health"}
	}
	if h.Status != 0 && (h.Status < 100 || h.Status > 599) {
		return &problem{"health.status", fmt.Sprintf("%d is not a status code", h.Status), "write 100 to 599, or leave it out for any from 200 to 399"}
	}
	if h.Timeout < 0 || h.Timeout > time.Hour {
		return &problem{"health.timeout", fmt.Sprintf("a timeout of %s is out of range", h.Timeout), "write a time up to 1h, such as 90s"}
	}
	return nil
}

func (r Recipe) validateEnv() *problem {
	for k, v := range r.Env {
		if !envRule.MatchString(k) || strings.ContainsRune(v, 0) {
			return &problem{"env", fmt.Sprintf("%q is not the name of an environment variable", k), "use letters, digits and underscores"}
		}
	}
	return nil
}
