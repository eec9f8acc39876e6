package images

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

var compareSources = cmp.AllowUnexported(aptSource{}, origin{})

func TestReadAptSources(t *testing.T) {
	apt := fstest.MapFS{
		"sources.list": {Data: []byte(`# deb http://old.example/debian bookworm main
deb http://mirror.example/debian/ bookworm main contrib # ours
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://x.example/x bookworm-updates main
deb cdrom:[Debian 12]/ bookworm main
deb http://flat.example/ ./
`)},
		"sources.list.d/debian.sources": {Data: []byte("Types: deb deb-src\n# a remark\nURIs: http://a.example/debian http://b.example/debian/\nSuites: trixie\n trixie-updates\nComponents: main\nSigned-By: /usr/share/keyrings/debian.gpg\n\n" +
			"Enabled: no\nTypes: deb\nURIs: http://off.example\nSuites: trixie\nComponents: main\n\n" +
			"types: deb\r\nuris: http://s.example/debian-security\r\nsuites: trixie-security\r\ncomponents: main\r\nsigned-by:\r\n -----BEGIN PGP PUBLIC KEY BLOCK-----\r\n")},
		"sources.list.d/off.list.disabled": {Data: []byte("deb http://off.example/ bookworm main\n")},
	}
	main, updates := []string{"main"}, "/usr/share/keyrings/"
	want := []aptSource{
		{uri: "http://mirror.example/debian", suites: []string{"bookworm"}, components: []string{"main", "contrib"}},
		{uri: "https://x.example/x", keyring: updates + "x.gpg", suites: []string{"bookworm-updates"}, components: main},
		{uri: "http://a.example/debian", keyring: updates + "debian.gpg", suites: []string{"trixie", "trixie-updates"}, components: main},
		{uri: "http://b.example/debian", keyring: updates + "debian.gpg", suites: []string{"trixie", "trixie-updates"}, components: main},
		{uri: "http://s.example/debian-security", suites: []string{"trixie-security"}, components: main},
	}
	if diff := cmp.Diff(want, readAptSources(apt), compareSources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if got := readAptSources(fstest.MapFS{}); len(got) > 0 {
		t.Errorf("sources of nothing: %v", got)
	}
}

func TestSourcesFor(t *testing.T) {
	main := []string{"main"}
	host := []aptSource{
		{uri: "http://php.example", suites: []string{"bookworm"}, components: []string{"php"}},
		{uri: "http://m.example/debian", keyring: "/k.gpg", suites: []string{"bookworm", "bookworm-updates"}, components: main},
		{uri: "http://m.example/security", suites: []string{"bookworm-security"}, components: main},
	}
	more := []string{
		"deb http://m.example/debian bookworm-updates main contrib", "deb http://m.example/security bookworm-security main contrib",
	}
	parts := []string{"main", "contrib"}
	tests := []struct {
		name string
		spec Debootstrap
		want origin
	}{
		{"the machine's own", Debootstrap{Suite: "bookworm", Components: parts}, origin{
			mirror: "http://m.example/debian", keyring: "/k.gpg", lines: append([]string{"deb http://m.example/debian bookworm main contrib"}, more...),
		}},
		{"the recipe's mirror", Debootstrap{Suite: "bookworm", Components: parts, Mirror: "http://r.example"}, origin{
			mirror: "http://r.example", lines: append([]string{"deb http://r.example bookworm main contrib"}, more...),
		}},
		{"a suite the machine does not have", Debootstrap{Suite: "trixie"}, origin{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, sourcesFor(test.spec, host), compareSources); diff != "" {
				t.Errorf("origin (-want +got):\n%s", diff)
			}
		})
	}
}
