package pebble

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/daemon"
)

// binary is what make tools calls it.
const binary = "pebble-2.10.1"

// Options are what tests vary. HTTP and HTTPS are the addresses on the loopback where it
// validates, instead of port 80 and 443.
type Options struct {
	HTTP, HTTPS string
	DNS         *DNS              // nil: one of its own
	Validity    time.Duration     // of certificates; default 90 days
	EAB         map[string]string // key ID to base64 key; where there are any one is required
	Blocked     []string          // domains it refuses
}

// Pebble is a running authority.
type Pebble struct {
	*daemon.Daemon
	tb    testing.TB
	addr  string
	admin string
	roots *x509.CertPool
	root  string // file of what is in roots
	http  *http.Client
}

// Start starts an authority.
func Start(tb testing.TB, o Options) *Pebble {
	tb.Helper()
	p := &Pebble{tb: tb, addr: daemon.FreeAddr(tb), admin: daemon.FreeAddr(tb)}
	dir := tb.TempDir()
	certificate, key := p.certificate(dir)
	p.root = certificate
	p.http = &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}, DisableKeepAlives: true},
	}
	if o.DNS == nil {
		o.DNS = StartDNS(tb)
	}
	if o.Validity == 0 {
		o.Validity = 90 * 24 * time.Hour
	}
	settings := map[string]any{
		"listenAddress": p.addr, "managementListenAddress": p.admin, "certificate": certificate, "privateKey": key,
		"httpPort": port(tb, o.HTTP), "tlsPort": port(tb, o.HTTPS), "ocspResponderURL": "",
		"externalAccountBindingRequired": len(o.EAB) > 0, "externalAccountMACKeys": o.EAB,
		"domainBlocklist": o.Blocked, "retryAfter": map[string]int{"authz": 1, "order": 1},
		"keyAlgorithm": "ecdsa",
		"profiles": map[string]any{
			"default": map[string]any{"description": "for tests", "validityPeriod": int(o.Validity.Seconds())},
		},
	}
	data, err := json.Marshal(map[string]any{"pebble": settings})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "pebble.json"), data, 0o600)
	}
	if err != nil {
		tb.Fatalf("write Pebble's settings: %v", err)
	}
	p.Daemon = daemon.Start(tb, binary, []string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0"},
		"-config", filepath.Join(dir, "pebble.json"), "-dnsserver", o.DNS.Addr())
	p.Ready()
	return p
}

func port(tb testing.TB, addr string) int {
	tb.Helper()
	if addr == "" {
		return 1 // nobody is there
	}
	_, p, err := net.SplitHostPort(addr)
	if err != nil {
		tb.Fatal(err)
	}
	n, err := strconv.Atoi(p)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// certificate makes the one of its own HTTPS.
func (p *Pebble) certificate(dir string) (certificate, key string) {
	p.tb.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		p.tb.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		p.tb.Fatal(err)
	}
	p.roots = x509.NewCertPool()
	certificate, key = filepath.Join(dir, "pebble.crt"), filepath.Join(dir, "pebble.key")
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	p.roots.AppendCertsFromPEM(crt)
	for path, data := range map[string][]byte{
		certificate: crt, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			p.tb.Fatal(err)
		}
	}
	return certificate, key
}

// Ready waits until it answers.
func (p *Pebble) Ready() {
	p.tb.Helper()
	p.Await(func() bool {
		answer, err := p.http.Get(p.Directory())
		if err == nil {
			_ = answer.Body.Close()
		}
		return err == nil
	})
}

// Directory is the URL of its directory.
func (p *Pebble) Directory() string { return "https://" + p.addr + "/dir" }

// Roots are what its own HTTPS is trusted by.
func (p *Pebble) Roots() *x509.CertPool { return p.roots }

// RootFile is the PEM file of what its own HTTPS is trusted by.
func (p *Pebble) RootFile() string { return p.root }

// Issued are what the certificates it gives are trusted by.
func (p *Pebble) Issued() *x509.CertPool {
	p.tb.Helper()
	answer, err := p.http.Get("https://" + p.admin + "/roots/0")
	if err != nil {
		p.tb.Fatalf("get Pebble's root: %v", err)
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(answer.Body)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(data) {
		p.tb.Fatalf("get Pebble's root: %v, %q", err, data)
	}
	return pool
}

// Orders is how many orders it was given so far.
func (p *Pebble) Orders() int { return strings.Count(p.Output(), "Added order") }
