package images

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Sources says what recipes may have fetched or read outside of the builder. LXD and debootstrap make
// those connections themselves and follow redirects, so that nobody can look at the address they
// lead to: hosts that nobody has named here are not asked at all. The zero value allows none.
type Sources struct {
	// Hosts are image servers and mirrors: HOST, HOST:PORT or *.DOMAIN. Without a port it is the
	// one of http or https.
	Hosts []string
	// Folders of the daemon's host hold tarballs.
	Folders []string
}

// splitHost gives host and port as in an address; the port is empty where there is none.
func splitHost(text string) (host, port string) {
	u := url.URL{Host: strings.ToLower(text)}
	return strings.TrimSuffix(u.Hostname(), "."), u.Port()
}

// check refuses a base that is to come from where nobody has allowed; fleet.Forbidden.
func (s Sources) check(b Base) error {
	switch {
	case b.Remote != nil:
		return s.checkURL("base.remote.server", b.Remote.Server)
	case b.Debootstrap != nil && b.Debootstrap.Mirror != "":
		return s.checkURL("base.debootstrap.mirror", b.Debootstrap.Mirror)
	case filepath.IsAbs(b.Tarball):
		f, err := s.open(b.Tarball)
		if err == nil {
			err = f.Close()
		}
		return err
	}
	return nil
}

func (s Sources) checkURL(field, text string) error {
	u, err := url.Parse(text)
	if err == nil && u.User == nil && slices.ContainsFunc(s.Hosts, func(allowed string) bool { return leadsTo(u, allowed) }) {
		return nil
	}
	shown := text
	if err == nil {
		shown = u.Host
	}
	return fleet.Errorf(fleet.Forbidden, "recipes may not have anything fetched from %s", shown).WithField(field).
		WithHint("whoever runs the daemon can allow it: add it to images.sources in the configuration")
}

func leadsTo(u *url.URL, allowed string) bool {
	host, port := splitHost(u.Host)
	wanted, itsPort := splitHost(allowed)
	usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if port == "" {
		port = usual
	}
	if itsPort == "" {
		itsPort = usual
	}
	if domain, below := strings.CutPrefix(wanted, "*."); below {
		return port == itsPort && strings.HasSuffix(host, "."+domain)
	}
	return port == itsPort && host == wanted
}

// open opens a tarball in one of the folders. What is not in them is refused alike, whether it is
// there or not; links do not lead out of them.
func (s Sources) open(name string) (*os.File, error) {
	for _, folder := range s.Folders {
		inside, err := filepath.Rel(folder, filepath.Clean(name))
		if err != nil || !filepath.IsLocal(inside) {
			continue
		}
		root, err := os.OpenRoot(folder)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, noFile(name, err)
		}
		if err != nil {
			return nil, fleet.Errorf(fleet.Failed, "open the folder of tarballs: %w", err).WithField("base.tarball")
		}
		f, err := root.Open(inside)
		_ = root.Close() // the file stays open
		if err != nil {
			return nil, noFile(name, err)
		}
		return f, nil
	}
	return nil, fleet.Errorf(fleet.Forbidden, "recipes may not read %s on the daemon's host", name).WithField("base.tarball").
		WithHint("put it into %s, or beside the recipe and write a relative path", strings.Join(s.Folders, " or "))
}

func noFile(name string, err error) error {
	if cause := errors.Unwrap(err); cause != nil {
		err = cause
	}
	return fleet.Errorf(fleet.NotFound, "the base %s cannot be read on the daemon's host: %w", name, err).WithField("base.tarball").
		WithHint("put it there, or beside the recipe and write a relative path")
}
