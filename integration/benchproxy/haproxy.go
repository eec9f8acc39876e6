package main

import (
	"fmt"
	"strings"
)

// setupHAProxy leads hosts by a map file and keeps connections to the backends. It would prefer a
// longer key than the others.
func setupHAProxy(w *world, s *subject) ([]string, error) {
	var hosts, backends strings.Builder
	for i := range s.routes {
		fmt.Fprintf(&hosts, "%s b%d\n", hostName(i), backendOf(i, w.backends).Port())
	}
	for _, b := range w.backends {
		fmt.Fprintf(&backends, "backend b%d\n\tserver s %s\n", b.Port(), b)
	}
	file, err := s.write("hosts", hosts.String())
	if err != nil {
		return nil, err
	}
	conf, err := s.write("haproxy.cfg", fmt.Sprintf(`global
	nbthread %d
	maxconn 8192
	ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384
defaults
	mode http
	timeout connect 2s
	timeout client 120s
	timeout server 300s
	timeout http-request 10s
	timeout http-keep-alive 120s
	http-reuse always
	option forwardfor
frontend https
	bind %s ssl crt %s/both.pem alpn h2,http/1.1
	http-request set-header X-Forwarded-Proto https
	http-request set-header X-Forwarded-Host %%[req.hdr(host)]
	http-request set-header X-Real-IP %%[src]
	unique-id-format %%{+X}o%%pid%%rt%%ts
	unique-id-header X-Request-Id
	use_backend %%[req.hdr(host),field(1,:),lower,map(%s)]
%s`, w.procs, s.addr, w.dir, file, backends.String()))
	return []string{"haproxy", "-db", "-f", conf}, err
}
