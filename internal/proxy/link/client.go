package link

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Client is a proxy's way to its controller. Its methods may be called from any goroutine.
type Client struct {
	path string // of the identity's file
	now  func() time.Time
	rest rest // of the requests of the certificate storage

	mu       sync.Mutex
	identity *Identity
	calls    *caller
}

// NewClient makes a client of an identity that is kept at path. It connects to nobody yet.
func NewClient(identity *Identity, path string) (*Client, error) {
	calls, err := newCaller(identity.Controller, identity.tls(time.Now))
	if err != nil {
		return nil, err
	}
	return &Client{path: path, now: time.Now, identity: identity, calls: calls}, nil
}

// Name is the proxy's.
func (c *Client) Name() string { return c.current().Name() }

// Controller is the address of the controller.
func (c *Client) Controller() string { return c.current().Controller }

// current gives the identity there is now.
func (c *Client) current() *Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.identity
}

func (c *Client) caller() *caller {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// Close closes idle connections.
func (c *Client) Close() { c.caller().close() }

// Settings gives what the controller has for its proxies.
func (c *Client) Settings(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	res, err := c.caller().do(ctx, http.MethodGet, pathSettings, nil, http.NoBody)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, mostBody))
	if err != nil {
		return nil, fmt.Errorf("read the controller's settings: %w", err)
	}
	return data, nil
}

// renew gets a new certificate where it is time, and reports whether it did.
func (c *Client) renew(ctx context.Context) (bool, error) {
	old := c.current()
	if !due(old.pair.Leaf, c.now()) {
		return false, nil
	}
	fresh, err := old.renewed(ctx, c.caller())
	if err != nil {
		return false, fmt.Errorf("renew the proxy's certificate: %w", err)
	}
	if err := fresh.Save(c.path); err != nil {
		return false, err
	}
	calls, err := newCaller(fresh.Controller, fresh.tls(c.now))
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls.close()
	c.identity, c.calls = fresh, calls
	return true, nil
}
