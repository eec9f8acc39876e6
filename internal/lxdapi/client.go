package lxdapi

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	lxd "github.com/canonical/lxd/client"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Options say which LXD a Client works with, and on what in it.
type Options struct {
	// Socket is the path of LXD's unix socket. Where it and URL are empty the usual places are
	// searched: $LXD_SOCKET, $LXD_DIR/unix.socket, the snap's and the Debian package's.
	Socket string
	// URL of a remote LXD, https://HOST:8443. ClientCert and ClientKey are then needed;
	// ServerCert pins the server's (or cluster's) certificate, and where it is empty the
	// server's certificate must be signed by an authority the system trusts. Each is a file's
	// path or the PEM text itself.
	URL                               string
	ClientCert, ClientKey, ServerCert string
	// Project is the LXD project; empty: lxdfleet.
	Project string
	// Pool is the storage pool whose use Members tells; empty: the pool of the root disk in
	// the project's default profile.
	Pool string
	// Lazy: Connect does not ask the server for an answer, so it works while LXD is down.
	Lazy bool
	// Logger gets what no caller is told, such as a lost event stream; nil: slog's default.
	Logger *slog.Logger
}

// Client works on one LXD project. Its methods may be called from many goroutines.
type Client struct {
	project string
	pool    string
	server  lxd.InstanceServer
	http    *http.Client
	base    string // http://unix.socket or https://HOST:8443
	log     *slog.Logger
	edits   locks
	clones  locks
	closed  chan struct{}

	machines capacities
}

// Connect finds LXD and asks it for an answer. It fails with fleet.Unavailable when nothing
// answers (the error says where it looked), fleet.Forbidden when LXD does not trust us, and
// fleet.Invalid when a certificate cannot be read.
func Connect(ctx context.Context, o Options) (*Client, error) {
	c := &Client{
		project: cmp.Or(o.Project, "lxdfleet"),
		pool:    o.Pool,
		log:     o.Logger,
		closed:  make(chan struct{}),
	}
	if c.log == nil {
		c.log = slog.Default()
	}
	var err error
	if o.URL != "" {
		err = c.useHTTPS(o)
	} else {
		err = c.useSocket(o.Socket)
	}
	if err != nil {
		return nil, err
	}
	if o.Lazy {
		return c, nil
	}
	if err := c.checkTrust(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends idle connections and event streams. Calls under way end with their contexts.
func (c *Client) Close() {
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	c.http.CloseIdleConnections()
}

func (c *Client) useHTTPS(o Options) error {
	args := &lxd.ConnectionArgs{UserAgent: "lxdfleet", SkipGetServer: true}
	for _, f := range []struct {
		field, value string
		into         *string
	}{
		{"client_cert", o.ClientCert, &args.TLSClientCert},
		{"client_key", o.ClientKey, &args.TLSClientKey},
		{"server_cert", o.ServerCert, &args.TLSServerCert},
	} {
		pem, err := readPEM(f.value)
		if err != nil {
			return fleet.Errorf(fleet.Invalid, "read the certificate for LXD: %w", err).WithField(f.field)
		}
		*f.into = pem
	}
	server, err := lxd.ConnectLXD(o.URL, args)
	if err != nil {
		return fleet.Errorf(fleet.Invalid, "prepare the connection to %s: %w", o.URL, err)
	}
	if err := c.use(server, strings.TrimSuffix(o.URL, "/")); err != nil {
		return err
	}
	// The library dials a second time where the first failed, without the name of the server's
	// certificate: a network that is away looks like a certificate that is wrong.
	// It also calls this function itself, to reach files.
	if t, ok := c.http.Transport.(*http.Transport); ok {
		dialer := &net.Dialer{Timeout: 10 * time.Second}
		t.DialContext = dialer.DialContext
		t.DialTLSContext = (&tls.Dialer{NetDialer: dialer, Config: t.TLSClientConfig}).DialContext
	}
	return nil
}

// use takes the connection the library made, and lets it keep idle connections: a TLS
// handshake for each request would cost more than most requests.
func (c *Client) use(server lxd.InstanceServer, base string) error {
	client, err := server.GetHTTPClient()
	if err != nil {
		return fleet.Errorf(fleet.Internal, "prepare the connection to LXD: %w", err)
	}
	transport, ok := client.Transport.(*http.Transport)
	if !ok {
		return fleet.Errorf(fleet.Internal, "the LXD library has an unexpected transport %T", client.Transport)
	}
	transport.DisableKeepAlives = false
	transport.MaxIdleConnsPerHost = 32
	transport.IdleConnTimeout = 30 * time.Second
	// Waits for operations are cut into short ones; only uploads take longer to be answered.
	transport.ResponseHeaderTimeout = 0
	c.server, c.http, c.base = server, client, base
	return nil
}

// readPEM gives text that is PEM already, or the content of the file it names.
func readPEM(s string) (string, error) {
	if s == "" || strings.Contains(s, "-----BEGIN ") {
		return s, nil
	}
	b, err := os.ReadFile(s)
	return string(b), err
}

func (c *Client) checkTrust(ctx context.Context) error {
	s, err := c.serverInfo(ctx)
	if err != nil {
		if bad := certificateError(err); bad != nil {
			return bad
		}
		return err
	}
	if s.Auth != "trusted" {
		return fleet.Errorf(fleet.Forbidden, "LXD at %s does not trust our client certificate", c.base).
			WithHint("on a member run: lxc config trust add client.crt")
	}
	return nil
}

// certificateError recognises a server whose certificate is not trusted.
func certificateError(err error) error {
	unknown, byAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	verify, byVerify := errors.AsType[*tls.CertificateVerificationError](err)
	var cause error
	switch {
	case byVerify:
		cause = verify
	case byAuthority:
		cause = unknown
	default:
		return nil
	}
	return fleet.Errorf(fleet.Invalid, "the certificate of LXD is not trusted: %w", cause).WithField("server_cert").
		WithHint("give the server's certificate: on a member it is cluster.crt or server.crt in LXD's folder")
}

// within says what was being done when err came, and keeps its code, field and hint.
func within(err error, doing string, args ...any) error {
	if err == nil {
		return nil
	}
	what := fmt.Sprintf(doing, args...)
	e, ok := errors.AsType[*fleet.Error](err)
	if !ok {
		return fmt.Errorf("%s: %w", what, err)
	}
	return &fleet.Error{Code: e.Code, Field: e.Field, Message: what + ": " + e.Message, Hint: e.Hint, Err: err}
}
