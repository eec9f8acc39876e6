package proxy

import (
	"log/slog"
	"net"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/accesslog"
	"github.com/lxdfleet/lxdfleet/internal/proxy/certs"
)

// GCPercent is how far a process with a proxy lets its heap grow before it is collected, in percent
// of what was left by the last time (runtime/debug.SetGCPercent). The heap is small, some 10 MB,
// and by Go's own 100 would be collected many times a second under load.
const GCPercent = 300

// Config is what a Server is made of. Zero fields take the defaults named here.
type Config struct {
	// HTTPS is the address of the HTTPS listener; default ":443".
	HTTPS string
	// HTTP is the address of the HTTP listener, which only redirects; default ":80". "off"
	// means there is none.
	HTTP string
	// HTTP3 is the UDP address of the HTTP/3 listener; default: the port of the HTTPS listener.
	// "off" means there is none.
	HTTP3 string
	// PublicPort is the port clients reach HTTPS at, where something in front maps ports;
	// default: that of the HTTPS listener.
	PublicPort int
	// Listen opens a listener; default net.Listen. It is where listeners handed over by
	// another process or wrapped ones come in.
	Listen func(network, address string) (net.Listener, error)
	// ListenPacket is Listen for HTTP/3; default net.ListenPacket.
	ListenPacket func(network, address string) (net.PacketConn, error)
	// PacketReady is closed when nobody else reads from the HTTP/3 socket any more; default: it
	// is this process's own from the start.
	PacketReady <-chan struct{}

	// Storage keeps the certificate authority and the certificates. It has to be set.
	Storage certmagic.Storage
	// CAName is the name people see in their trust store; default "lxdfleet internal CA".
	CAName string
	// ACME says how to get certificates from public authorities; nil: all are the internal CA's.
	ACME *certs.ACME
	// Certificates is how many certificates are kept in memory; default 2,000. Others are read
	// from Storage when they are asked for.
	Certificates int

	// TableFile is where the table is saved for a cold start; empty: it is not.
	TableFile string
	// Observe asks the control plane to look at a tenant again, because its backend cannot be
	// connected to. It is called at most every 100 ms per tenant, and must not block.
	Observe func(tenant fleet.Name)

	// Held bounds the requests held per tenant; default 1,000 requests, 16 MiB of headers,
	// 30 s.
	Held Limits
	// Retry is how long a request whose backend refuses connections is tried again; default
	// 10 s, never longer than Held.Wait.
	Retry time.Duration
	// Dial is the longest one connection to a backend may take; default 2 s.
	Dial time.Duration
	// Answer is the longest a backend may take from the whole request to the header of its
	// answer; default 5 min. Bodies have no time limit.
	Answer time.Duration

	// ReadHeader is the longest a client may take for the TLS handshake and for a request's
	// header; default 10 s.
	ReadHeader time.Duration
	// Idle is how long a client's connection may wait for its next request; default 2 min.
	Idle time.Duration
	// MaxHeader is the largest request header in bytes; default 64 KiB.
	MaxHeader int

	// Guard bounds what clients can take.
	Guard GuardConfig

	// Log takes what goes wrong; default: nothing is logged.
	Log *slog.Logger
	// Access takes one entry per request; nil: no access log. It has to be closed after the
	// server.
	Access *accesslog.Log
	// Brand is who the server's own pages are from; default: they do not say.
	Brand Brand
}

func (c Config) withDefaults() Config {
	or(&c.HTTPS, ":443")
	or(&c.HTTP, ":80")
	or(&c.Held.Waiters, 1000)
	or(&c.Held.Bytes, 16<<20)
	or(&c.Held.Wait, 30*time.Second)
	or(&c.Retry, 10*time.Second)
	or(&c.Dial, 2*time.Second)
	or(&c.Answer, 5*time.Minute)
	or(&c.ReadHeader, 10*time.Second)
	or(&c.Idle, 2*time.Minute)
	or(&c.MaxHeader, 64<<10)
	or(&c.Guard.WriteStall, 2*time.Minute)
	c.Retry = min(c.Retry, c.Held.Wait)
	if c.Listen == nil {
		c.Listen = net.Listen
	}
	if c.ListenPacket == nil {
		c.ListenPacket = net.ListenPacket
	}
	if c.PacketReady == nil {
		ready := make(chan struct{})
		close(ready)
		c.PacketReady = ready
	}
	if c.Observe == nil {
		c.Observe = func(fleet.Name) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func or[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c Config) validate() error {
	if c.Storage == nil {
		return fleet.Errorf(fleet.Invalid, "the proxy has no certificate storage").WithField("storage")
	}
	if c.PublicPort < 0 || c.PublicPort > 65535 {
		return fleet.Errorf(fleet.Invalid, "%d is not a port", c.PublicPort).WithField("public_port").
			WithHint("use 1 to 65535, or 0 for the listener's own")
	}
	return c.Guard.validate()
}
