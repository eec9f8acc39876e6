package certs

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) pass(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

func testCA(t *testing.T, storage certmagic.Storage, now func() time.Time) *CA {
	t.Helper()
	ca, err := openCA(t.Context(), storage, "Test CA", now)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// issue gives the chain of a new certificate for acme.example, leaf first.
func issue(t *testing.T, ca *CA) []*x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{"acme.example"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := ca.Issue(t.Context(), csr)
	if err != nil {
		t.Fatal(err)
	}
	return parseChain(t, issued.Certificate)
}

func parseChain(t *testing.T, data []byte) []*x509.Certificate {
	t.Helper()
	var chain []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			t.Fatalf("a %s among certificates", block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, cert)
	}
	return chain
}

// trusts reports whether a client that trusts root accepts chain at a time.
func trusts(root *x509.Certificate, chain []*x509.Certificate, at time.Time) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{DNSName: "acme.example", Roots: roots, Intermediates: between, CurrentTime: at})
	return err
}

func TestCAIssues(t *testing.T) {
	now := time.Now()
	ca := testCA(t, &certmagic.FileStorage{Path: t.TempDir()}, func() time.Time { return now })
	chain := issue(t, ca)
	root := parseChain(t, ca.Export())
	if len(root) != 1 || len(chain) != 1 {
		t.Fatalf("%d roots, chain of %d", len(root), len(chain))
	}
	if err := trusts(root[0], chain, now); err != nil {
		t.Error(err)
	}
	leaf := chain[0]
	if got := leaf.NotAfter.Sub(now).Round(time.Hour); got != leafLife {
		t.Errorf("leaf lives %v", got)
	}
	if leaf.IsCA || leaf.PublicKeyAlgorithm != x509.ECDSA {
		t.Errorf("leaf: CA %v, key %v", leaf.IsCA, leaf.PublicKeyAlgorithm)
	}
	if got := root[0].NotAfter.Sub(now).Round(time.Hour); got != rootLife {
		t.Errorf("root lives %v", got)
	}
}

func TestCARefusesARequestWithoutHost(t *testing.T) {
	ca := testCA(t, &certmagic.FileStorage{Path: t.TempDir()}, time.Now)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Issue(t.Context(), csr); err == nil {
		t.Error("signed")
	}
}

func TestCAIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	exports := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range exports {
		wg.Go(func() {
			ca, err := openCA(t.Context(), &certmagic.FileStorage{Path: dir}, "Test CA", time.Now)
			if err != nil {
				t.Error(err)
				return
			}
			exports[i] = ca.Export()
		})
	}
	wg.Wait()
	for _, e := range exports {
		if !bytes.Equal(e, exports[0]) {
			t.Fatal("several proxies on one storage have different authorities")
		}
	}
	info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(rootsKey)))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
}

// The root is replaced ahead of its end, and a client that trusts either accepts all that was
// signed before and after.
func TestCARotates(t *testing.T) {
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	c := &clock{at: time.Now()}
	ca := testCA(t, storage, c.now)
	first := parseChain(t, ca.Export())[0]
	c.pass(rootLife - rotateAhead - 24*time.Hour)
	before := issue(t, ca)
	if len(parseChain(t, ca.Export())) != 1 {
		t.Fatal("replaced too soon")
	}
	c.pass(48 * time.Hour)
	after := issue(t, ca)
	both := parseChain(t, ca.Export())
	if len(both) != 2 || both[0].Equal(first) || !both[1].Equal(first) {
		t.Fatalf("exported %d roots", len(both))
	}
	for name, err := range map[string]error{
		"old root, old certificate":        trusts(first, before, c.now()),
		"old root, new certificate":        trusts(first, after, c.now()),
		"new root, new certificate":        trusts(both[0], after, c.now()),
		"old root at the old certif's end": trusts(first, before, before[0].NotAfter),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !bytes.Equal(testCA(t, storage, c.now).Export(), ca.Export()) {
		t.Error("another proxy sees other roots")
	}
	c.pass(rotateAhead)
	late := issue(t, ca)
	if got := parseChain(t, ca.Export()); len(got) != 1 || !got[0].Equal(both[0]) || len(late) != 1 {
		t.Errorf("after the old root's end %d are exported, chain of %d", len(got), len(late))
	}
}

// failing is a storage that cannot be written.
type failing struct{ certmagic.Storage }

func (failing) Store(context.Context, string, []byte) error { return errors.New("read-only") }

func TestCAGoesOnWhenItCannotRotate(t *testing.T) {
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	c := &clock{at: time.Now()}
	root := parseChain(t, testCA(t, storage, c.now).Export())[0]
	ca := testCA(t, failing{storage}, c.now)
	c.pass(rootLife - rotateAhead/2)
	if err := trusts(root, issue(t, ca), c.now()); err != nil {
		t.Error(err)
	}
	c.pass(rotateAhead)
	if _, err := ca.current(t.Context()); err == nil {
		t.Error("signs with a root that has ended")
	}
}

func TestCADoesNotReplaceWhatItCannotRead(t *testing.T) {
	good, err := newRoots("Test CA", time.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newRoots("Test CA", time.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	mixed := *good
	mixed.key = other.key
	whole, err := good.encode()
	if err != nil {
		t.Fatal(err)
	}
	wrongKey, err := mixed.encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty": {}, "cut off": whole[:len(whole)/2], "another key": wrongKey,
		"broken inside": bytes.Replace(whole, []byte("MII"), []byte("MMM"), 1),
	} {
		t.Run(name, func(t *testing.T) {
			storage := &certmagic.FileStorage{Path: t.TempDir()}
			if err := storage.Store(t.Context(), rootsKey, data); err != nil {
				t.Fatal(err)
			}
			if _, err := openCA(t.Context(), storage, "Test CA", time.Now); err == nil {
				t.Error("opened")
			}
			if now, err := storage.Load(t.Context(), rootsKey); err != nil || !bytes.Equal(now, data) {
				t.Errorf("what was stored is changed: %v", err)
			}
		})
	}
}
