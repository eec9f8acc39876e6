package link

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	dialTime = 5 * time.Second
	callTime = 10 * time.Second // longest one small request may take
)

// caller makes requests of the controller.
type caller struct {
	base      *url.URL
	transport *http.Transport
}

func newCaller(controller string, settings *tls.Config) (*caller, error) {
	base, err := ParseAddress(controller)
	if err != nil {
		return nil, err
	}
	return &caller{base: base, transport: &http.Transport{
		TLSClientConfig: settings, ForceAttemptHTTP2: true,
		DialContext:         (&net.Dialer{Timeout: dialTime}).DialContext,
		TLSHandshakeTimeout: dialTime, IdleConnTimeout: time.Minute,
		// A connection that died silently is noticed, and not used for the next request.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second},
	}}, nil
}

func (c *caller) close() { c.transport.CloseIdleConnections() }

// do sends a request. An answer that is an error becomes one: a fleet error, or fs.ErrNotExist.
// Where no answer came the error is of code Unavailable and says why in plain words.
func (c *caller) do(ctx context.Context, method, path string, query url.Values, in io.Reader) (*http.Response, error) {
	u := *c.base
	u.Path, u.RawQuery = path, query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), in)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	res, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	var p problem
	if err := json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&p); err != nil || p.Code == "" {
		return nil, fleet.Errorf(fleet.Unavailable, "%s answers %s: it is no lxdfleet controller", c.base, res.Status).
			WithField("controller").WithHint("use the address in proxies.listen on the controller, not that of a tenant or the dashboard")
	}
	if p.Code == codeMissing {
		return nil, fmt.Errorf("%s: %w", p.Message, fs.ErrNotExist)
	}
	return nil, &fleet.Error{Code: p.Code, Field: p.Field, Message: p.Message, Hint: p.Hint}
}

// json sends a small message and reads the answer into out, if that is not nil.
func (c *caller) json(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	data, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	res, err := c.do(ctx, method, path, nil, bytes.NewReader(data))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, mostBody)).Decode(out); err != nil {
		return fleet.Errorf(fleet.Unavailable, "the answer of the controller cannot be read: %w", err)
	}
	return nil
}

// unanswered is the error of a request that got no answer.
type unanswered struct{ err error }

func (u unanswered) Error() string { return u.err.Error() }

func (u unanswered) Unwrap() error { return u.err }

// explain says in plain words why a request got no answer.
func (c *caller) explain(ctx context.Context, err error) error {
	say := func(hint, format string, args ...any) error {
		return unanswered{fleet.Errorf(fleet.Unavailable, format+": %w", append(args, err)...).WithField("controller").WithHint("%s", hint)}
	}
	host := c.base.Host
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return say("check the address, or name resolution on this host", "the controller's name cannot be looked up")
	}
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	switch {
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled):
		return context.Cause(ctx)
	case authority, errors.Is(err, errOtherController):
		return say("check the address; where the controller was set up anew, join again with a token from it",
			"%s is not the controller that this proxy knows", host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return say("see whether lxdfleet runs there, and whether proxies.listen is set", "nobody listens at %s", host)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return say("see whether a firewall is in the way", "%s does not answer in time", host)
	}
	return say("see the log of the controller", "%s cannot be reached", host)
}
