package images

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Whatever a recipe's address looks like, it is one that somebody has allowed, or is refused.
func TestRecipesReachAllowedHostsOnly(t *testing.T) {
	s := Sources{Hosts: []string{"images.example", "*.debian.org", "cache.internal:3142", "192.0.2.7", "[2001:db8::7]:8443"}}
	for address, want := range map[string]bool{
		"https://images.example":                      true,
		"https://IMAGES.example./x?y=1":               true,
		"https://images.example:443/streams":          true,
		"http://images.example:80":                    true,
		"http://ftp.debian.org/debian":                true,
		"http://ftp.de.debian.org/debian":             true,
		"http://cache.internal:3142/debian":           true,
		"https://192.0.2.7":                           true,
		"https://[2001:db8::7]:8443/":                 true,
		"https://images.example:8443":                 false,
		"http://images.example:443":                   false,
		"https://images.example.evil.example":         false,
		"https://evil.example/images.example":         false,
		"https://images.example@evil.example":         false,
		"https://user:pass@images.example":            false,
		"https://evil.example#images.example":         false,
		"https://evil.example?images.example":         false,
		"https://evil.example\\@images.example":       false,
		"http://debian.org":                           false,
		"http://evildebian.org":                       false,
		"http://ftp.debian.org.evil.example":          false,
		"http://cache.internal":                       false,
		"http://127.0.0.1:8445/metrics":               false,
		"http://localhost/":                           false,
		"http://0/":                                   false,
		"http://2130706433/":                          false,
		"http://0x7f.1/":                              false,
		"http://[::1]/":                               false,
		"http://[::ffff:127.0.0.1]/":                  false,
		"http://169.254.169.254/latest/meta-data":     false,
		"https://10.0.0.1:8443":                       false,
		"http://[fe80::1%25eth0]/":                    false,
		"https://192.0.2.7.example":                   false,
		"":                                            false,
		"https://":                                    false,
		"https://images.example" + "\r\nHost: evil":   false,
		"https://" + strings.Repeat("a", 5000) + ".x": false,
	} {
		for field, base := range map[string]Base{
			"base.remote.server":      {Remote: &Remote{Server: address, Alias: "x"}},
			"base.debootstrap.mirror": {Debootstrap: &Debootstrap{Suite: "bookworm", Mirror: address}},
		} {
			if address == "" && base.Remote == nil {
				continue // the daemon's host chooses
			}
			err := s.check(base)
			if (err == nil) != want {
				t.Errorf("%s %q: %v", field, address, err)
			}
			if err != nil {
				wantError(t, err, fleet.Forbidden, field, "images.sources")
			}
		}
		if (Sources{}).check(Base{Remote: &Remote{Server: address}}) == nil {
			t.Errorf("%q is allowed by nobody", address)
		}
	}
}

func FuzzSources(f *testing.F) {
	for _, address := range []string{"https://images.example", "https://images.example@evil", "http://[::1]", "https://images.example\\x"} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		s := Sources{Hosts: []string{"images.example"}}
		if s.check(Base{Remote: &Remote{Server: address}}) == nil && !strings.HasPrefix(strings.ToLower(address), "http") {
			t.Errorf("%q is allowed", address)
		}
	})
}

// A recipe names no file of the daemon's host but tarballs, neither by a path nor by a link, and is not
// told whether there is one.
func TestRecipesReadAllowedFoldersOnly(t *testing.T) {
	dir, secrets := t.TempDir(), t.TempDir()
	do(t, os.WriteFile(filepath.Join(secrets, "key"), []byte("secret"), 0o600))
	do(t, os.Mkdir(filepath.Join(dir, "more"), 0o700))
	do(t, os.WriteFile(filepath.Join(dir, "more", "base.tar"), []byte("a base"), 0o600))
	do(t, os.Symlink(filepath.Join(secrets, "key"), filepath.Join(dir, "link.tar")))
	do(t, os.Symlink(secrets, filepath.Join(dir, "folder")))
	s := Sources{Folders: []string{dir, filepath.Join(secrets, "none")}}
	for name, want := range map[string]fleet.Code{
		filepath.Join(dir, "more", "base.tar"):         "",
		dir + "/more/../more//base.tar":                "",
		filepath.Join(dir, "none.tar"):                 fleet.NotFound,
		filepath.Join(dir, "link.tar"):                 fleet.NotFound,
		filepath.Join(dir, "folder", "key"):            fleet.NotFound,
		filepath.Join(secrets, "none", "x"):            fleet.NotFound,
		filepath.Join(secrets, "key"):                  fleet.Forbidden,
		filepath.Join(secrets, "other"):                fleet.Forbidden,
		dir + "/../" + filepath.Base(secrets) + "/key": fleet.Forbidden,
		dir + "x/base.tar":                             fleet.Forbidden,
		"/etc/shadow":                                  fleet.Forbidden,
		"/proc/self/environ":                           fleet.Forbidden,
		"/no/such/file":                                fleet.Forbidden,
	} {
		err := s.check(Base{Tarball: name})
		if fleet.CodeOf(err) != want || err == nil != (want == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
