package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// subject is one proxy with one number of routes.
type subject struct {
	proxy  string
	routes int
	addr   netip.AddrPort // HTTPS
	dir    string         // its own files
	proc   *process
}

func (s *subject) String() string { return fmt.Sprintf("%s, %d routes", s.proxy, s.routes) }

// world is what all subjects share.
type world struct {
	dir      string // with the wildcard certificate
	front    string // program
	before   string // of another build, or ""
	procs    int    // worker threads of each proxy
	core     int    // the proxies'
	backends []netip.AddrPort
}

// setup writes a subject's configuration and gives its command.
type setup func(w *world, s *subject) (command []string, err error)

// proxy is one of those that are compared.
type proxy struct {
	name  string
	setup setup
}

// proxies are what is compared, ours first.
func (w *world) proxies() []proxy {
	all := []proxy{{"lxdfleet", setupLxdfleet(w.front)}}
	if w.before != "" {
		all = append(all, proxy{"before", setupLxdfleet(w.before)})
	}
	return append(all, proxy{"nginx", setupNginx}, proxy{"haproxy", setupHAProxy}, proxy{"caddy", setupCaddy})
}

// newSubjects prepares every proxy, or ours and those called only, with every number of routes.
func newSubjects(w *world, only []string, routes []int) ([]*subject, error) {
	var all []*subject
	for i, p := range w.proxies() {
		if i > 0 && len(only) > 0 && !slices.Contains(only, p.name) {
			continue
		}
		for _, n := range routes {
			port := 8443 + len(all)
			s := &subject{
				proxy: p.name, routes: n, addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)),
				dir: filepath.Join(w.dir, fmt.Sprintf("%s-%d", p.name, n)),
			}
			if err := os.MkdirAll(s.dir, 0o700); err != nil {
				return nil, err
			}
			command, err := p.setup(w, s)
			if err != nil {
				return nil, fmt.Errorf("set up %s: %w", s, err)
			}
			s.proc = &process{
				name: s.String(), core: w.core, log: filepath.Join(s.dir, "log"), command: command,
				env: []string{"HOME=" + s.dir, "XDG_DATA_HOME=" + s.dir, "XDG_CONFIG_HOME=" + s.dir, "GOMAXPROCS=" + strconv.Itoa(w.procs)},
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// write puts text into a file of the subject's and gives its path.
func (s *subject) write(name, text string) (string, error) {
	path := filepath.Join(s.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}
