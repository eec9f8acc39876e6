package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ErrUnreachable says that nothing answers on the socket. It wraps why.
var ErrUnreachable = errors.New("the daemon is not reachable")

// address is the base of all requests; the host has no meaning on a unix socket.
const address = "http://lxdfleet"

// Daemon is a connection to the daemon, on its unix socket or over HTTPS. The generated operations
// give answers as they came; Decode reads them.
type Daemon struct {
	*Client
	http   *http.Client
	base   string // of all addresses
	token  string // sent with each request; empty: none
	socket string // empty: over HTTPS

	// Patience is how long Follow tries to reach a daemon that went away.
	Patience time.Duration
}

// New gives the daemon that serves on the socket. It connects with the first request.
func New(socket string) (*Daemon, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
		if err != nil && ctx.Err() == nil {
			return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		return conn, err
	}
	h := &http.Client{Transport: &http.Transport{DialContext: dial}}
	c, err := NewClient(address, WithHTTPClient(h), WithRequestEditorFn(dropEmpty))
	if err != nil {
		return nil, fmt.Errorf("make the client: %w", err)
	}
	return &Daemon{Client: c, http: h, base: address, socket: socket, Patience: time.Minute}, nil
}

// Remote is a daemon that is reached over HTTPS.
type Remote struct {
	Address string // https://host:port
	Token   string // empty: only what is public can be asked for
	// Roots are the authorities to trust; nil: those of the system.
	Roots *x509.CertPool
}

// NewRemote gives the daemon at an address. It connects with the first request.
func NewRemote(r Remote) (*Daemon, error) {
	h := &http.Client{Transport: &reaching{&http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
		TLSClientConfig: &tls.Config{RootCAs: r.Roots, MinVersion: tls.VersionTLS12},
	}}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // the token is for this host
	prove := func(_ context.Context, req *http.Request) error {
		if r.Token != "" {
			req.Header.Set("Authorization", "Bearer "+r.Token)
		}
		return nil
	}
	c, err := NewClient(r.Address, WithHTTPClient(h), WithRequestEditorFn(dropEmpty), WithRequestEditorFn(prove))
	if err != nil {
		return nil, fmt.Errorf("make the client: %w", err)
	}
	return &Daemon{Client: c, http: h, base: r.Address, token: r.Token, Patience: time.Minute}, nil
}

// reaching tells connections that could not be made.
type reaching struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (r *reaching) RoundTrip(req *http.Request) (*http.Response, error) {
	answer, err := r.Transport.RoundTrip(req)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		err = fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return answer, err
}

// dropEmpty removes parameters that were not given: the generated code sends them empty.
func dropEmpty(_ context.Context, r *http.Request) error {
	query := r.URL.Query()
	for name, values := range query {
		if len(values) == 1 && values[0] == "" {
			query.Del(name)
		}
	}
	r.URL.RawQuery = query.Encode()
	for name, values := range r.Header {
		if len(values) == 1 && values[0] == "" {
			r.Header.Del(name)
		}
	}
	return nil
}

// Socket is the path of the daemon's socket; empty where it is reached over HTTPS.
func (d *Daemon) Socket() string { return d.socket }

// CloseIdle closes connections that are kept for later requests.
func (d *Daemon) CloseIdle() { d.http.CloseIdleConnections() }

// Decode reads an operation's answer, such as Decode[Job](daemon.StartTenant(…)). A problem
// document becomes a fleet error with its code, field and hint.
func Decode[T any](answer *http.Response, err error) (T, error) {
	var result T
	body, err := Open(answer, err)
	if err != nil {
		return result, err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&result); err != nil {
		return result, fmt.Errorf("read the daemon's answer: %w", err)
	}
	return result, nil
}

// Open gives the body of an answer that is not JSON, or the error that the answer is. The
// caller closes it.
func Open(answer *http.Response, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, err
	}
	if answer.StatusCode < 300 || answer.StatusCode == http.StatusSwitchingProtocols {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	if kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); kind != "application/problem+json" {
		return nil, fmt.Errorf("the daemon answered %s", answer.Status)
	}
	var p Problem
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&p); err != nil {
		return nil, fmt.Errorf("the daemon answered %s: %w", answer.Status, err)
	}
	return nil, p.err()
}

// err is the fleet error the problem was made from.
func (p Problem) err() error {
	return &fleet.Error{Code: fleet.Code(p.Code), Field: p.Field, Message: p.Detail, Hint: p.Hint}
}
