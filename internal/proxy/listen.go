package proxy

import (
	"errors"
	"io/fs"
	"net"
	"syscall"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Listen opens a TCP listener on address by open, such as net.Listen. Its errors, of code Taken,
// Forbidden or Invalid, name the field and say what to do.
func Listen(open func(network, address string) (net.Listener, error), field, address string) (net.Listener, error) {
	return bind(open, "tcp", field, address)
}

// bind opens a listener and says what to do where it cannot.
func bind[T any](listen func(network, address string) (T, error), network, field, address string) (T, error) {
	ln, err := listen(network, address)
	if err != nil {
		return ln, bindError(err, network, field, address)
	}
	return ln, nil
}

func bindError(err error, network, field, address string) error {
	_, port, _ := net.SplitHostPort(address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		by := ""
		if network == "tcp" {
			by = portOwner(port)
		}
		if by == "" {
			by = "another program"
		}
		return fleet.Errorf(fleet.Taken, "%s port %s is used by %s: %w", network, port, by, err).WithField(field).
			WithHint("stop it (`ss -%slnp 'sport = :%s'` shows it) or set another address", network[:1], port)
	case errors.Is(err, fs.ErrPermission):
		return fleet.Errorf(fleet.Forbidden, "may not listen on %s: %w", address, err).WithField(field).
			WithHint("ports below 1024 need root or CAP_NET_BIND_SERVICE; or set another address")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fleet.Errorf(fleet.Invalid, "this machine does not have the address of %s: %w", address, err).
			WithField(field).WithHint("`ip address` lists those it has; \":%s\" means all of them", port)
	}
	return fleet.Errorf(fleet.Invalid, "cannot listen on %q: %w", address, err).WithField(field).
		WithHint("write it as address:port, or :port for all addresses")
}
