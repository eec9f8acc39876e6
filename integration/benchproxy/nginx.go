package main

import (
	"fmt"
	"strings"
)

// setupNginx leads hosts by a map, which is a hash, and keeps connections to the backends.
// Requests per connection are not limited, which is nginx's default at 1,000.
func setupNginx(w *world, s *subject) ([]string, error) {
	var hosts, upstreams strings.Builder
	for i := range s.routes {
		fmt.Fprintf(&hosts, "%s b%d;\n", hostName(i), backendOf(i, w.backends).Port())
	}
	for _, b := range w.backends {
		fmt.Fprintf(&upstreams, "upstream b%d { server %s; keepalive 64; keepalive_requests 1000000000; }\n", b.Port(), b)
	}
	if _, err := s.write("hosts", hosts.String()); err != nil {
		return nil, err
	}
	conf, err := s.write("nginx.conf", fmt.Sprintf(`daemon off;
user root;
worker_processes %d;
pid %[2]s/pid;
error_log stderr error;
events { worker_connections 8192; }
http {
	access_log off;
	client_body_temp_path %[2]s/body;
	proxy_temp_path %[2]s/proxy;
	fastcgi_temp_path %[2]s/fastcgi;
	uwsgi_temp_path %[2]s/uwsgi;
	scgi_temp_path %[2]s/scgi;
	map_hash_max_size 65536;
	map_hash_bucket_size 128;
	keepalive_requests 1000000000;
	map $host $backend {
		include %[2]s/hosts;
	}
	%[3]s
	server {
		listen %[4]s ssl http2;
		ssl_certificate %[5]s/cert.pem;
		ssl_certificate_key %[5]s/key.pem;
		ssl_protocols TLSv1.2 TLSv1.3;
		location / {
			proxy_pass http://$backend;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $host;
			proxy_set_header X-Real-IP $remote_addr;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Host $host;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_set_header X-Request-Id $request_id;
		}
	}
}
`, w.procs, s.dir, upstreams.String(), s.addr, w.dir))
	return []string{"nginx", "-e", "stderr", "-p", s.dir, "-c", conf}, err
}
