package images

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// aptSource is an archive apt reads packages from.
type aptSource struct {
	uri, keyring string
	suites       []string
	components   []string
}

// origin says where the packages of a base come from.
type origin struct {
	mirror  string   // empty: debootstrap's own
	keyring string   // empty: debootstrap's own
	lines   []string // of sources.list in the base; empty: the mirror's, with its updates
}

// sourcesFor chooses archives: the specification's mirror, else the one this machine has the
// suite from, with updates and security as this machine has them. Where it has neither, all is
// left to debootstrap, which knows Debian's own.
func sourcesFor(spec Debootstrap, host []aptSource) origin {
	parts := strings.Join(components(spec), " ")
	find := func(suite string) (aptSource, bool) {
		i := slices.IndexFunc(host, func(s aptSource) bool {
			return slices.Contains(s.suites, suite) && slices.Contains(s.components, "main")
		})
		if i < 0 {
			return aptSource{}, false
		}
		return host[i], true
	}
	o := origin{mirror: spec.Mirror}
	if main, known := find(spec.Suite); known && spec.Mirror == "" {
		o.mirror, o.keyring = main.uri, main.keyring
	}
	if o.mirror == "" {
		return origin{}
	}
	add := func(uri, suite string) { o.lines = append(o.lines, "deb "+uri+" "+suite+" "+parts) }
	add(o.mirror, spec.Suite)
	for _, more := range []string{spec.Suite + "-updates", spec.Suite + "-security"} {
		if s, ok := find(more); ok {
			add(s.uri, more)
		}
	}
	return o
}

// readAptSources reads sources.list and sources.list.d of apt's folder, both formats. What it
// cannot use (disabled, source packages, not http) it leaves out.
func readAptSources(apt fs.FS) []aptSource {
	var out []aptSource
	names := []string{"sources.list"}
	entries, err := fs.ReadDir(apt, "sources.list.d")
	if err == nil {
		for _, e := range entries {
			names = append(names, path.Join("sources.list.d", e.Name()))
		}
	}
	for _, name := range names {
		content, err := fs.ReadFile(apt, name)
		switch {
		case err != nil:
		case strings.HasSuffix(name, ".list"):
			out = append(out, oneLine(content)...)
		case strings.HasSuffix(name, ".sources"):
			out = append(out, deb822(content)...)
		}
	}
	return slices.DeleteFunc(out, func(s aptSource) bool { return !isURL(s.uri, "http", "https") })
}

// oneLine reads lines such as `deb [signed-by=KEYRING] URI SUITE COMPONENT...`.
func oneLine(content []byte) (out []aptSource) {
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "#")
		kind, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
		if kind != "deb" {
			continue
		}
		var s aptSource
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			options, after, _ := strings.Cut(rest[1:], "]")
			for _, option := range strings.Fields(options) {
				if keyring, ok := strings.CutPrefix(option, "signed-by="); ok {
					s.keyring = keyringFile(keyring)
				}
			}
			rest = after
		}
		fields := strings.Fields(rest)
		if len(fields) < 3 {
			continue
		}
		s.uri, s.suites, s.components = strings.TrimSuffix(fields[0], "/"), fields[1:2], fields[2:]
		out = append(out, s)
	}
	return out
}

// deb822 reads stanzas of `Key: values`.
func deb822(content []byte) (out []aptSource) {
	for stanza := range strings.SplitSeq(strings.ReplaceAll(string(content), "\r", ""), "\n\n") {
		keys, last := map[string]string{}, ""
		for line := range strings.Lines(stanza) {
			switch {
			case strings.HasPrefix(line, "#"):
			case strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"):
				keys[last] += " " + strings.TrimSpace(line)
			default:
				key, value, _ := strings.Cut(line, ":")
				last = strings.ToLower(strings.TrimSpace(key))
				keys[last] = strings.TrimSpace(value)
			}
		}
		if !slices.Contains(strings.Fields(keys["types"]), "deb") || strings.EqualFold(keys["enabled"], "no") {
			continue
		}
		for _, uri := range strings.Fields(keys["uris"]) {
			out = append(out, aptSource{
				uri: strings.TrimSuffix(uri, "/"), keyring: keyringFile(keys["signed-by"]),
				suites: strings.Fields(keys["suites"]), components: strings.Fields(keys["components"]),
			})
		}
	}
	return out
}

// keyringFile gives a keyring's path; empty where the key itself or its fingerprint is given.
func keyringFile(s string) string {
	if strings.HasPrefix(s, "/") && !strings.ContainsAny(s, " ,\n") {
		return s
	}
	return ""
}
