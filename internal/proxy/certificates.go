package proxy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// Certificates gives the TLS certificate of each known host. Those of hosts in the table are
// made ahead in the background, or during the first handshake where that comes sooner, kept in
// storage and renewed a month before they end. Any other name gets one fixed certificate that
// no client trusts, so that the page which says there is no site can be shown to who insists;
// such names cost neither a signature nor memory.
type Certificates struct {
	// subject gives the name that a host's certificate is for: its own, or that of the wildcard
	// it is served by. Strangers can ask for any number of a wildcard's hosts.
	subject  func(host string) (string, bool)
	config   *certmagic.Config
	cache    *certmagic.Cache
	fallback *tls.Certificate
	log      *slog.Logger
	wanted   chan *Table

	mu     sync.Mutex
	ready  map[string]bool          // hosts whose certificate is in storage
	making map[string]chan struct{} // closed when the making has ended
}

func newCertificates(cfg Config, issuer certmagic.Issuer, subject func(host string) (string, bool)) (*Certificates, error) {
	fallback, err := fallbackCertificate(time.Now())
	if err != nil {
		return nil, fmt.Errorf("make the certificate for unknown hosts: %w", err)
	}
	c := &Certificates{
		subject: subject, fallback: fallback, log: cfg.Log, wanted: make(chan *Table, 1),
		ready: make(map[string]bool), making: make(map[string]chan struct{}),
	}
	logger := zapToSlog(cfg.Log)
	c.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return c.config, nil },
		Capacity:         cfg.Certificates,
		Logger:           logger,
	})
	c.config = certmagic.New(c.cache, certmagic.Config{
		Storage:   cfg.Storage,
		Issuers:   []certmagic.Issuer{issuer},
		KeySource: certmagic.StandardKeyGenerator{KeyType: certmagic.P256},
		OnDemand:  &certmagic.OnDemandConfig{DecisionFunc: c.decide},
		// The internal CA answers in milliseconds and has no rate limit, so trying the storage
		// first would only cost time.
		DisableStorageCheck: true,
		DisableARI:          true,
		OCSP:                certmagic.OCSPConfig{DisableStapling: true},
		Logger:              logger,
	})
	return c, nil
}

// decide is the second line behind get: no certificate is made for a host not in the table.
func (c *Certificates) decide(_ context.Context, name string) error {
	if _, ok := c.subject(name); !ok {
		return fmt.Errorf("%s is not a host of any tenant", name)
	}
	return nil
}

// get is the GetCertificate of the TLS configuration.
func (c *Certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host := canonicalHost(hello.ServerName)
	subject, ok := c.subject(host)
	if !ok {
		return c.fallback, nil
	}
	ctx := hello.Context()
	err := c.ensure(ctx, subject)
	if err == nil {
		var cert *tls.Certificate
		if cert, err = c.config.GetCertificateWithContext(ctx, hello); err == nil {
			return cert, nil
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	c.log.Error("no certificate for a tenant's host", "host", host, "error", err)
	return c.fallback, nil
}

// ensure sees that host has a certificate in storage. Calls for one host at a time share one
// making: certmagic's file lock, on its own, looks only once a second whether it is free.
func (c *Certificates) ensure(ctx context.Context, host string) error {
	for {
		c.mu.Lock()
		if c.ready[host] {
			c.mu.Unlock()
			return nil
		}
		making, busy := c.making[host]
		if !busy {
			making = make(chan struct{})
			c.making[host] = making
			c.mu.Unlock()
			return c.make(ctx, host, making)
		}
		c.mu.Unlock()
		select {
		case <-making:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// make obtains host's certificate where storage has none. It goes on when the client whose
// handshake began it leaves: others may wait for it.
func (c *Certificates) make(ctx context.Context, host string, making chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	err := c.config.ObtainCertSync(ctx, host)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.ready[host] = true
	}
	delete(c.making, host)
	close(making)
	return err
}

// want has the certificates of t's hosts made ahead. It never blocks; only the last table counts.
func (c *Certificates) want(t *Table) {
	for {
		select {
		case c.wanted <- t:
			return
		case <-c.wanted: // an older table nobody has looked at
		}
	}
}

// run makes certificates ahead, and once a day removes long expired ones from storage, until
// ctx ends.
func (c *Certificates) run(ctx context.Context) {
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-c.wanted:
			c.ahead(ctx, t)
		case <-daily.C:
			err := certmagic.CleanStorage(ctx, c.config.Storage, certmagic.CleanStorageOptions{
				Logger: zapToSlog(c.log), ExpiredCerts: true, ExpiredCertGracePeriod: 30 * 24 * time.Hour,
			})
			if err != nil && ctx.Err() == nil {
				c.log.Warn("expired certificates cannot be removed", "error", err)
			}
		}
	}
}

// ahead makes what is missing for t, and forgets hosts that t does not have. It stops when a
// newer table is there; what it left is done with that one.
func (c *Certificates) ahead(ctx context.Context, t *Table) {
	c.mu.Lock()
	for host := range c.ready {
		if _, ok := t.Lookup(host); !ok {
			delete(c.ready, host)
		}
	}
	c.mu.Unlock()
	for domain := range t.routes {
		if ctx.Err() != nil || len(c.wanted) > 0 {
			return
		}
		if err := c.ensure(ctx, string(domain)); err != nil {
			c.log.Error("a certificate cannot be made ahead", "host", domain, "error", err)
		}
	}
}

// close stops what certmagic does in the background and releases its locks.
func (c *Certificates) close() { c.cache.Stop() }

// fallbackCertificate is for clients that name no host or one that is not in the table. It is
// made anew at each start and never stored.
func fallbackCertificate(now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "no site here"},
		DNSNames:     []string{"no-site.invalid"},
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.Add(rootLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}
