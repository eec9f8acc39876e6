package certs

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

const (
	rootLife = 10 * 365 * 24 * time.Hour
	leafLife = 90 * 24 * time.Hour
	// rotateAhead is how long before its end a root is replaced. It has to be longer than
	// leafLife, so that no certificate outlives the root that signed it, and long enough for
	// people to bring the new root to their trust stores.
	rotateAhead = 365 * 24 * time.Hour
	// clockSkew is how far behind a client's clock may be.
	clockSkew = time.Hour
)

// CA is the internal certificate authority, for hosts without public DNS. It is made once and
// kept in certificate storage; several proxies on one storage share it.
//
// A year before its root ends a new one is made and signs from then on. The new root is also
// signed by the old one, and that cross certificate is sent along: a client that trusts either
// root accepts every certificate, so nobody has to act on a certain day. Export gives both
// roots while both live.
//
// CA is a certmagic.Issuer. All its methods may be called at any time from any goroutine.
type CA struct {
	storage certmagic.Storage
	name    string
	now     func() time.Time

	mu    sync.Mutex
	roots *roots
}

// OpenCA loads the internal authority from storage, and makes it where there is none: for those
// that need a certificate of it without a Keeper.
func OpenCA(ctx context.Context, storage certmagic.Storage, name string) (*CA, error) {
	return openCA(ctx, storage, name, time.Now)
}

// openCA loads the authority from storage, and makes it where there is none.
func openCA(ctx context.Context, storage certmagic.Storage, name string, now func() time.Time) (*CA, error) {
	ca := &CA{storage: storage, name: name, now: now}
	if _, err := ca.current(ctx); err != nil {
		return nil, err
	}
	return ca, nil
}

// IssuerKey names the folder of this issuer's certificates in storage.
func (ca *CA) IssuerKey() string { return "internal" }

// Issue signs a certificate for the names and IP addresses of request, good for 90 days (less where the root
// ends sooner).
func (ca *CA) Issue(ctx context.Context, request *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("check certificate request: %w", err)
	}
	if len(request.DNSNames)+len(request.IPAddresses) == 0 {
		return nil, errors.New("check certificate request: it names no host")
	}
	roots, err := ca.current(ctx)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := ca.now()
	end := now.Add(leafLife)
	if end.After(roots.cert.NotAfter) {
		end = roots.cert.NotAfter
	}
	leaf := &x509.Certificate{
		SerialNumber:          serial,
		DNSNames:              request.DNSNames,
		IPAddresses:           request.IPAddresses,
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              end,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if len(request.DNSNames) > 0 && len(request.DNSNames[0]) <= 64 { // the longest a common name may be
		leaf.Subject = pkix.Name{CommonName: request.DNSNames[0]}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, roots.cert, request.PublicKey, roots.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	chain := pemCertificate(der)
	if roots.cross != nil && now.Before(roots.cross.NotAfter) {
		chain = append(chain, pemCertificate(roots.cross.Raw)...)
	}
	return &certmagic.IssuedCertificate{Certificate: chain}, nil
}

// Export gives the root certificates to trust, as PEM: the current one, and the one before it
// while that lives. There is no key in it.
func (ca *CA) Export() []byte {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	out := pemCertificate(ca.roots.cert.Raw)
	if old := ca.roots.old; old != nil && ca.now().Before(old.NotAfter) {
		out = append(out, pemCertificate(old.Raw)...)
	}
	return out
}

// current gives the roots to sign with, making or replacing them where it is time.
func (ca *CA) current(ctx context.Context) (*roots, error) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if ca.roots != nil && !ca.due(ca.roots) {
		return ca.roots, nil
	}
	fresh, err := ca.renew(ctx)
	switch {
	case err == nil:
		ca.roots = fresh
	case ca.roots != nil && ca.now().Before(ca.roots.cert.NotAfter):
		// Storage fails now; the root is good for a while yet and the next call tries again.
	default:
		return nil, err
	}
	return ca.roots, nil
}

func (ca *CA) due(r *roots) bool { return ca.now().After(r.cert.NotAfter.Add(-rotateAhead)) }

// rootsKey is where the roots are in storage: one value, so that a certificate and its key can
// never be of two makings.
const rootsKey = "internal-ca/roots.pem"

// renew reads the roots from storage, where another proxy may have put them, and makes what is
// missing, under the storage's lock. Where nothing is missing storage is only read.
func (ca *CA) renew(ctx context.Context) (*roots, error) {
	old, err := ca.load(ctx)
	if err != nil || old != nil && !ca.due(old) {
		return old, err
	}
	if err := ca.storage.Lock(ctx, rootsKey); err != nil {
		return nil, fmt.Errorf("lock the internal CA: %w", err)
	}
	// Unlock also when ctx has ended meanwhile: a lock left behind would stop every proxy.
	defer func() { _ = ca.storage.Unlock(context.WithoutCancel(ctx), rootsKey) }()
	old, err = ca.load(ctx)
	if err != nil || old != nil && !ca.due(old) {
		return old, err
	}
	fresh, err := newRoots(ca.name, ca.now(), old)
	if err != nil {
		return nil, fmt.Errorf("make the internal CA: %w", err)
	}
	data, err := fresh.encode()
	if err != nil {
		return nil, fmt.Errorf("make the internal CA: %w", err)
	}
	if err := ca.storage.Store(ctx, rootsKey, data); err != nil {
		return nil, fmt.Errorf("store the internal CA: %w", err)
	}
	return fresh, nil
}

// load gives the roots in storage, or nil where there are none.
func (ca *CA) load(ctx context.Context) (*roots, error) {
	data, err := ca.storage.Load(ctx, rootsKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load the internal CA: %w", err)
	}
	r, err := parseRoots(data)
	if err != nil {
		return nil, fmt.Errorf("load the internal CA (%s): %w", rootsKey, err)
	}
	return r, nil
}

func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	return serial.Add(serial, big.NewInt(1)), nil
}

func pemCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
