package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// setupLxdfleet gives each host a tenant and a route of its own. It signs the certificates by
// itself, one for each host, of the same kind as the others' wildcard; that work is waited for
// before anything is measured, and hosts are visited once before their handshakes are timed.
func setupLxdfleet(front string) setup {
	return func(w *world, s *subject) ([]string, error) { return lxdfleetCommand(w, s, front) }
}

func lxdfleetCommand(w *world, s *subject, front string) ([]string, error) {
	routes := make([]fleet.Route, s.routes)
	for i := range routes {
		routes[i] = fleet.Route{
			Domain: fleet.Domain(hostName(i)), Tenant: fleet.Name(fmt.Sprintf("client%05d", i)), State: fleet.RouteServe,
			Backend: backendOf(i, w.backends).String(),
		}
	}
	data, err := json.Marshal(routes)
	if err != nil {
		return nil, err
	}
	file, err := s.write("routes.json", string(data))
	if err != nil {
		return nil, err
	}
	return []string{
		front, "--https", s.addr.String(), "--routes", file, "--storage", filepath.Join(s.dir, "storage"),
		"--profile", filepath.Join(s.dir, "cpu.pprof"),
	}, nil
}
