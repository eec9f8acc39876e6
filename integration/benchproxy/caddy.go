package main

import (
	"encoding/json"
	"path/filepath"
)

// object is a piece of Caddy's JSON.
type object map[string]any

// setupCaddy has one route for each backend with the hosts that it serves: Caddy looks routes
// through one after the other, but finds a host in one route's list by bisection, so this is the
// fastest it can be set up.
func setupCaddy(w *world, s *subject) ([]string, error) {
	hosts := make(map[string][]string)
	for i := range s.routes {
		b := backendOf(i, w.backends).String()
		hosts[b] = append(hosts[b], hostName(i))
	}
	var routes []object
	for _, b := range w.backends {
		if len(hosts[b.String()]) == 0 {
			continue
		}
		routes = append(routes, object{
			"match": []object{{"host": hosts[b.String()]}}, "terminal": true,
			"handle": []object{{
				"handler": "reverse_proxy", "upstreams": []object{{"dial": b.String()}},
				"transport": object{"protocol": "http", "keep_alive": object{"max_idle_conns_per_host": 64}},
				"headers": object{"request": object{"set": object{
					"X-Real-Ip": []string{"{http.request.remote.host}"}, "X-Request-Id": []string{"{http.request.uuid}"},
				}}},
			}},
		})
	}
	data, err := json.Marshal(object{
		"admin":   object{"disabled": true, "config": object{"persist": false}},
		"storage": object{"module": "file_system", "root": filepath.Join(s.dir, "storage")},
		"logging": object{"logs": object{"default": object{"level": "ERROR"}}},
		"apps": object{
			"http": object{"servers": object{"https": object{
				"listen": []string{s.addr.String()}, "routes": routes, "automatic_https": object{"disable": true},
				"tls_connection_policies": []object{{}}, "protocols": []string{"h1", "h2"},
			}}},
			"tls": object{"certificates": object{"load_files": []object{{
				"certificate": filepath.Join(w.dir, "cert.pem"), "key": filepath.Join(w.dir, "key.pem"),
			}}}},
		},
	})
	if err != nil {
		return nil, err
	}
	conf, err := s.write("caddy.json", string(data))
	return []string{"caddy", "run", "--config", conf}, err
}
