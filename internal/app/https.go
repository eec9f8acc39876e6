package app

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/certs"
)

// httpsServer serves the API over HTTPS. A port that cannot be had is no reason not to serve the
// tenants: it is tried until it can.
type httpsServer struct {
	api      *api.Server
	address  string
	listen   func(network, address string) (net.Listener, error)
	ln       net.Listener // nil: the port was taken at the start
	settings *tls.Config
	again    time.Duration
	log      *slog.Logger
}

// wireHTTPS binds the API's port, or takes it over from the process before.
func (a *App) wireHTTPS(ctx context.Context) error {
	if a.cfg.API.Listen == "off" {
		return nil
	}
	get, err := a.apiCertificate(ctx)
	if err != nil {
		return err
	}
	s := &httpsServer{
		api: a.api, address: a.cfg.API.Listen, listen: a.Sockets.Listen, again: bindAgain, log: a.log,
		settings: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: get},
	}
	if s.ln, err = s.listen("tcp", s.address); err != nil {
		s.taken(err)
	} else {
		ln := s.ln
		a.onRelease(func() { ln.Close() })
	}
	a.https = s
	return nil
}

// apiCertificate gives the function that has the certificate of the API.
func (a *App) apiCertificate(ctx context.Context) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	if a.cfg.API.Cert != "" {
		files := &certFiles{cert: a.cfg.API.Cert, key: a.cfg.API.Key}
		if _, err := files.get(nil); err != nil {
			return nil, fleet.Errorf(fleet.Invalid, "the API's certificate cannot be used: %w", err).WithField("api.cert").
				WithHint("name the PEM files of a certificate and of its key")
		}
		return files.get, nil
	}
	if a.proxy != nil {
		return newOwnCerts(a.proxy.CA(), a.cfg.APIAddress(), time.Now).get, nil
	}
	storage, err := a.certStorage(ctx)
	if err != nil {
		return nil, err
	}
	if a.ca, err = certs.OpenCA(ctx, storage, "lxdfleet internal CA"); err != nil {
		return nil, err
	}
	return newOwnCerts(a.ca, a.cfg.APIAddress(), time.Now).get, nil
}

// Run serves until the API is shut down or ctx ends.
func (s *httpsServer) Run(ctx context.Context) {
	for s.ln == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.again):
		}
		s.ln, _ = s.listen("tcp", s.address)
	}
	defer s.ln.Close()
	s.log.Info("the API is served over HTTPS", "address", s.ln.Addr().String())
	if err := s.api.ServeTLS(s.ln, s.settings); err != nil {
		s.log.Error("the API is not served over HTTPS any longer", "error", err)
	}
}

func (s *httpsServer) taken(err error) {
	s.log.Warn("the API cannot be served over HTTPS; it is tried again. Free the address, or set api.listen to another one or to off",
		"address", s.address, "error", err)
}
