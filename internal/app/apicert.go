package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// certFiles are a certificate and its key in files, read again when one of them is replaced.
type certFiles struct {
	cert, key string

	mu     sync.Mutex
	loaded *tls.Certificate
	stamp  [2]time.Time // when the files were last changed
}

func (f *certFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	stamp, err := f.changed()
	if err == nil && f.loaded != nil && stamp == f.stamp {
		return f.loaded, nil
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil && f.loaded == nil {
		return nil, err
	}
	if err == nil { // else it is being replaced: the one before is good for a while
		f.loaded, f.stamp = &pair, stamp
	}
	return f.loaded, nil
}

func (f *certFiles) changed() (stamp [2]time.Time, err error) {
	for i, file := range []string{f.cert, f.key} {
		info, err := os.Stat(file)
		if err != nil {
			return stamp, err
		}
		stamp[i] = info.ModTime()
	}
	return stamp, nil
}

// ownCerts has certificates signed by the internal authority: for this machine's names, and for
// the address of this machine that a client has connected to.
type ownCerts struct {
	issuer certmagic.Issuer
	names  []string
	now    func() time.Time

	mu   sync.Mutex
	byIP map[string]*tls.Certificate
}

// renewAhead is how long before its end a certificate is replaced.
const renewAhead = 30 * 24 * time.Hour

func newOwnCerts(issuer certmagic.Issuer, address string, now func() time.Time) *ownCerts {
	names := []string{"localhost"}
	if host, err := os.Hostname(); err == nil {
		names = append(names, strings.ToLower(host))
	}
	if u, err := url.Parse(address); err == nil && u.Hostname() != "" && net.ParseIP(u.Hostname()) == nil {
		names = append(names, strings.ToLower(u.Hostname()))
	}
	slices.Sort(names)
	return &ownCerts{issuer: issuer, names: slices.Compact(names), now: now, byIP: map[string]*tls.Certificate{}}
}

func (o *ownCerts) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	var ip net.IP
	if tcp, ok := hello.Conn.LocalAddr().(*net.TCPAddr); ok {
		ip = tcp.IP
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if have := o.byIP[ip.String()]; have != nil && o.now().Before(have.Leaf.NotAfter.Add(-renewAhead)) {
		return have, nil
	}
	made, err := o.issue(hello.Context(), ip)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for the API: %w", err)
	}
	o.byIP[ip.String()] = made
	return made, nil
}

func (o *ownCerts) issue(ctx context.Context, ip net.IP) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	wanted := &x509.CertificateRequest{DNSNames: o.names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
	if ip != nil && !ip.IsLoopback() {
		wanted.IPAddresses = append(wanted.IPAddresses, ip)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, wanted, key)
	if err != nil {
		return nil, err
	}
	if wanted, err = x509.ParseCertificateRequest(der); err != nil {
		return nil, err
	}
	issued, err := o.issuer.Issue(ctx, wanted)
	if err != nil {
		return nil, err
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(issued.Certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
	if err != nil {
		return nil, err
	}
	return &pair, nil
}
