package proxy

import (
	"errors"
	"io/fs"
	"net"
	"syscall"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Listen opens a TCP listener on address. Its errors, of code Taken, Forbidden or Invalid, name the
// field and say what to do.
func Listen(field, address string) (net.Listener, error) { return bind(net.Listen, field, address) }

// bind opens a listener and says what to do where it cannot.
func bind(listen func(network, address string) (net.Listener, error), field, address string) (net.Listener, error) {
	ln, err := listen("tcp", address)
	if err == nil {
		return ln, nil
	}
	_, port, _ := net.SplitHostPort(address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		by := portOwner(port)
		if by == "" {
			by = "another program"
		}
		return nil, fleet.Errorf(fleet.Taken, "port %s is used by %s: %w", port, by, err).WithField(field).
			WithHint("stop it (`ss -ltnp 'sport = :%s'` shows it) or set another address", port)
	case errors.Is(err, fs.ErrPermission):
		return nil, fleet.Errorf(fleet.Forbidden, "may not listen on %s: %w", address, err).WithField(field).
			WithHint("ports below 1024 need root or CAP_NET_BIND_SERVICE; or set another address")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fleet.Errorf(fleet.Invalid, "this machine does not have the address of %s: %w", address, err).
			WithField(field).WithHint("`ip address` lists those it has; \":%s\" means all of them", port)
	}
	return nil, fleet.Errorf(fleet.Invalid, "cannot listen on %q: %w", address, err).WithField(field).
		WithHint("write it as address:port, or :port for all addresses")
}
