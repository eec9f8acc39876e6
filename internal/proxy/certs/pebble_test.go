//go:build integration

package certs_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/libdns/rfc2136"
	"github.com/mholt/acmez/v3/acme"

	"github.com/lxdfleet/lxdfleet/integration/mariadb"
	"github.com/lxdfleet/lxdfleet/integration/pebble"
	"github.com/lxdfleet/lxdfleet/integration/s3server"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/certs"
	"github.com/lxdfleet/lxdfleet/internal/s3"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

func TestChallenges(t *testing.T) {
	for name, change := range map[string]func(*certs.Config){
		"both":        nil,
		"HTTP-01":     func(c *certs.Config) { c.HTTPS = nil },
		"TLS-ALPN-01": func(c *certs.Config) { c.HTTP = nil },
	} {
		t.Run(name, func(t *testing.T) {
			at := newPlaces(t)
			ca := pebble.Start(t, at.options())
			f := startFront(t, at, change, authority(ca))
			f.hosts("www.agency.dev")
			if got := f.state("www.agency.dev"); got.State != fleet.CertificateNone {
				t.Errorf("before: %+v", got)
			}
			f.trusted("www.agency.dev", ca)
			f.trusted("www.agency.dev", ca) // from memory
			got := f.state("www.agency.dev")
			if got.State != fleet.CertificateValid || got.Issuer != ca.Directory() || time.Until(got.NotAfter) < 80*24*time.Hour || got.LastError != "" {
				t.Errorf("after: %+v", got)
			}
			if n := ca.Orders(); n != 1 {
				t.Errorf("%d orders", n)
			}
		})
	}
}

func TestMadeAhead(t *testing.T) {
	at := newPlaces(t)
	ca := pebble.Start(t, at.options())
	f := startFront(t, at, nil, authority(ca))
	f.publish("a.agency.dev", "b.agency.dev", "acme.localhost", "intranet")
	for host, issuer := range map[string]string{
		"a.agency.dev": ca.Directory(), "b.agency.dev": ca.Directory(), "acme.localhost": "internal", "intranet": "internal",
	} {
		eventually(t, host+" has a certificate", func() bool { return f.state(host).State == fleet.CertificateValid })
		if got := f.state(host).Issuer; got != issuer {
			t.Errorf("%s is signed by %s", host, got)
		}
	}
	if n := ca.Orders(); n != 2 {
		t.Errorf("%d orders", n)
	}
}

// The base domain's hosts share one wildcard, proven by DNS; nothing is left in the zone.
func TestWildcardByDNS(t *testing.T) {
	zone := pebble.StartDNS(t, "clients.agency.dev", "shop.dev")
	ca := pebble.Start(t, pebble.Options{DNS: zone}) // no way to validate but DNS
	f := startFront(t, newPlaces(t), func(c *certs.Config) {
		c.ACME.DNS = &certs.DNS{
			Provider: &rfc2136.Provider{KeyName: pebble.KeyName, KeyAlg: pebble.KeyAlgorithm, Key: pebble.Key, Server: zone.Addr()},
			Zones:    []fleet.Domain{"clients.agency.dev", "shop.dev"}, Wildcards: []fleet.Domain{"clients.agency.dev"},
			Resolvers: []string{zone.Addr()},
		}
	}, authority(ca))
	f.hosts("acme.clients.agency.dev", "globex.clients.agency.dev", "deep.acme.clients.agency.dev", "*.shop.dev", "*.other.dev")
	first := f.trusted("acme.clients.agency.dev", ca)
	second := f.trusted("globex.clients.agency.dev", ca)
	if !first.Equal(second) || first.DNSNames[0] != "*.clients.agency.dev" || ca.Orders() != 1 {
		t.Errorf("certificate of %v, %d orders", second.DNSNames, ca.Orders())
	}
	if got := f.state("globex.clients.agency.dev"); got.State != fleet.CertificateValid || got.Issuer != ca.Directory() {
		t.Errorf("%+v", got)
	}
	for host, want := range map[string]string{
		"deep.acme.clients.agency.dev": "deep.acme.clients.agency.dev", "any.shop.dev": "*.shop.dev", "more.shop.dev": "*.shop.dev",
	} {
		if got := f.trusted(host, ca); got.DNSNames[0] != want {
			t.Errorf("%s has that of %v", host, got.DNSNames)
		}
	}
	if n := zone.Records(); n != 0 || zone.Updates() == 0 {
		t.Errorf("%d records are left after %d updates", n, zone.Updates())
	}
	before := ca.Orders()
	for i := range 20 {
		f.dial(fmt.Sprintf("x%d.other.dev", i)) // no zone of ours
	}
	if got := f.state("*.other.dev"); ca.Orders() != before || got.State != fleet.CertificateFailing || !strings.Contains(got.LastError, "DNS-01") {
		t.Errorf("%d orders, %+v", ca.Orders()-before, got)
	}
}

func TestExternalAccount(t *testing.T) {
	at := newPlaces(t)
	key := base64.RawURLEncoding.EncodeToString([]byte("a key of thirty-two bytes, or so"))
	o := at.options()
	o.EAB = map[string]string{"agency-1": key}
	ca := pebble.Start(t, o)
	bound := authority(ca)
	bound.ExternalAccount = &acme.EAB{KeyID: "agency-1", MACKey: key}
	f := startFront(t, at, nil, bound)
	f.hosts("www.agency.dev")
	f.trusted("www.agency.dev", ca)

	unbound := startFront(t, newPlaces(t), nil, authority(ca))
	unbound.hosts("two.agency.dev")
	unbound.dial("two.agency.dev")
	if got := unbound.state("two.agency.dev"); got.State != fleet.CertificateFailing || !strings.Contains(got.LastError, "externalAccountRequired") {
		t.Errorf("without a binding: %+v", got)
	}
}

// A certificate is renewed while it is good, and taken into use, with and without visitors.
func TestRenewal(t *testing.T) {
	at := newPlaces(t)
	o := at.options()
	o.Validity = 24 * time.Second
	ca := pebble.Start(t, o)
	f := startFront(t, at, func(c *certs.Config) { c.ACME.RenewBefore = 0.75 }, authority(ca))
	f.publish("seen.agency.dev", "unseen.agency.dev")
	first := f.trusted("seen.agency.dev", ca)
	eventually(t, "unseen has one", func() bool { return f.state("unseen.agency.dev").State == fleet.CertificateValid })
	unseen := f.state("unseen.agency.dev").NotAfter
	eventually(t, "a new certificate is served", func() bool { return !f.trusted("seen.agency.dev", ca).Equal(first) })
	if now := time.Now(); now.After(first.NotAfter) {
		t.Errorf("renewed %v after its end", now.Sub(first.NotAfter))
	}
	eventually(t, "the other one is renewed", func() bool { return f.state("unseen.agency.dev").NotAfter.After(unseen) })
	f.trusted("unseen.agency.dev", ca)
}

// The authority is down for a while: the reason is seen, it is left alone, and asked again.
func TestAuthorityDown(t *testing.T) {
	at := newPlaces(t)
	ca := pebble.Start(t, at.options())
	f := startFront(t, at, nil, authority(ca))
	f.hosts("good.agency.dev", "new.agency.dev", "acme.internal")
	f.trusted("good.agency.dev", ca)
	ca.Kill()

	f.publish("good.agency.dev", "new.agency.dev", "acme.internal")
	eventually(t, "the failure is seen", func() bool { return f.state("new.agency.dev").State == fleet.CertificateFailing })
	got := f.state("new.agency.dev")
	if wait := got.NextTry.Sub(got.LastTry); !strings.Contains(got.LastError, "connection refused") || wait != time.Minute {
		t.Errorf("%+v", got)
	}
	began := time.Now()
	for range 50 {
		if cn := f.dial("new.agency.dev")[0].Subject.CommonName; cn != "no site here" {
			t.Fatalf("certificate of %q", cn)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("handshakes wait for an authority that is down: %v for 50", took)
	}
	if f.state("new.agency.dev").LastTry != got.LastTry {
		t.Error("tried again during the back-off")
	}
	f.dial("good.agency.dev")
	if f.state("good.agency.dev").State != fleet.CertificateValid || f.state("acme.internal").State != fleet.CertificateValid {
		t.Error("others suffer")
	}

	f.clock.pass(time.Minute)
	eventually(t, "tried again", func() bool { return f.state("new.agency.dev").LastTry.After(got.LastTry) })
	if got = f.state("new.agency.dev"); got.NextTry.Sub(got.LastTry) != 2*time.Minute {
		t.Errorf("%+v", got)
	}
	ca.Start()
	ca.Ready()
	// It has forgotten our account meanwhile, which certmagic finds out by an order that fails.
	f.clock.pass(2 * time.Minute)
	eventually(t, "tried again", func() bool { return f.state("new.agency.dev").LastTry.After(got.LastTry) })
	f.clock.pass(4 * time.Minute)
	eventually(t, "recovered", func() bool { return f.state("new.agency.dev").State == fleet.CertificateValid })
	f.trusted("new.agency.dev", ca)
	if got = f.state("new.agency.dev"); got.LastError != "" || !got.NextTry.IsZero() {
		t.Errorf("%+v", got)
	}
}

// The back-off lasts over a restart, and an operator ends it.
func TestBackoffOutlastsARestart(t *testing.T) {
	at := newPlaces(t)
	o := at.options()
	o.Blocked = []string{"blocked.dev"}
	ca := pebble.Start(t, o)
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	var first fleet.Certificate
	t.Run("first", func(t *testing.T) {
		f := startFront(t, newPlaces(t), func(c *certs.Config) { c.Storage = storage }, authority(ca))
		f.hosts("www.agency.dev") // validated at an address where nobody is
		f.dial("www.agency.dev")
		first = f.state("www.agency.dev")
		if first.State != fleet.CertificateFailing || !strings.Contains(first.LastError, "onnect") {
			t.Fatalf("%+v", first)
		}
	})
	orders := ca.Orders()
	f := startFront(t, at, func(c *certs.Config) { c.Storage = storage }, authority(ca))
	f.publish("www.agency.dev")
	f.dial("www.agency.dev")
	if got := f.state("www.agency.dev"); got != first || ca.Orders() != orders {
		t.Errorf("after a restart: %+v, %d more orders", got, ca.Orders()-orders)
	}
	if err := f.Retry(t.Context(), "www.agency.dev"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "obtained", func() bool { return f.state("www.agency.dev").State == fleet.CertificateValid })
	f.trusted("www.agency.dev", ca)
}

func TestSecondAuthority(t *testing.T) {
	at := newPlaces(t)
	down, up := pebble.Start(t, at.options()), pebble.Start(t, at.options())
	down.Kill()
	f := startFront(t, at, nil, authority(down), authority(up))
	f.hosts("www.agency.dev")
	f.trusted("www.agency.dev", up)
	if got := f.state("www.agency.dev"); got.Issuer != up.Directory() {
		t.Errorf("%+v", got)
	}
	up.Kill()
	f.hosts("www.agency.dev", "new.agency.dev")
	f.dial("new.agency.dev")
	got := f.state("new.agency.dev")
	if !strings.Contains(got.LastError, down.Directory()) || !strings.Contains(got.LastError, up.Directory()) {
		t.Errorf("both reasons: %+v", got)
	}
}

// counting counts what is asked of a storage.
type counting struct {
	certmagic.Storage
	calls atomic.Int64
}

func (c *counting) Load(ctx context.Context, key string) ([]byte, error) {
	c.calls.Add(1)
	return c.Storage.Load(ctx, key)
}

func (c *counting) Exists(ctx context.Context, key string) bool {
	c.calls.Add(1)
	return c.Storage.Exists(ctx, key)
}

func (c *counting) Store(ctx context.Context, key string, value []byte) error {
	c.calls.Add(1)
	return c.Storage.Store(ctx, key, value)
}

func (c *counting) Lock(ctx context.Context, name string) error {
	c.calls.Add(1)
	return c.Storage.Lock(ctx, name)
}

// A flood of names nobody knows asks nothing of the authority, nor of the storage.
func TestStrangers(t *testing.T) {
	at := newPlaces(t)
	ca := pebble.Start(t, at.options())
	storage := &counting{Storage: &certmagic.FileStorage{Path: t.TempDir()}}
	f := startFront(t, at, func(c *certs.Config) { c.Storage, c.Every = storage, time.Hour }, authority(ca))
	f.hosts("www.agency.dev")
	f.trusted("www.agency.dev", ca)
	before, orders := storage.calls.Load(), ca.Orders()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				if cn := f.dial(fmt.Sprintf("x%d-%d.agency.dev", i, j))[0].Subject.CommonName; cn != "no site here" {
					t.Errorf("certificate of %q", cn)
				}
			}
		})
	}
	wg.Wait()
	if storage.calls.Load() != before || ca.Orders() != orders {
		t.Errorf("%d calls to the storage, %d orders", storage.calls.Load()-before, ca.Orders()-orders)
	}
}

// frozen is a storage that can be made read-only.
type frozen struct {
	certmagic.Storage
	on atomic.Bool
}

var errReadOnly = errors.New("read-only file system")

func (s *frozen) Store(ctx context.Context, key string, value []byte) error {
	if s.on.Load() {
		return errReadOnly
	}
	return s.Storage.Store(ctx, key, value)
}

func (s *frozen) Lock(ctx context.Context, name string) error {
	if s.on.Load() {
		return errReadOnly
	}
	return s.Storage.Lock(ctx, name)
}

func (s *frozen) Delete(ctx context.Context, key string) error {
	if s.on.Load() {
		return errReadOnly
	}
	return s.Storage.Delete(ctx, key)
}

// What is there is served; nothing is ordered that could not be kept.
func TestReadOnlyStorage(t *testing.T) {
	at := newPlaces(t)
	ca := pebble.Start(t, at.options())
	storage := &frozen{Storage: &certmagic.FileStorage{Path: t.TempDir()}}
	t.Run("before", func(t *testing.T) {
		f := startFront(t, at, func(c *certs.Config) { c.Storage = storage }, authority(ca))
		f.hosts("www.agency.dev", "acme.internal")
		f.trusted("www.agency.dev", ca)
		f.dial("acme.internal")
	})
	storage.on.Store(true)
	orders := ca.Orders()
	f := startFront(t, at, func(c *certs.Config) { c.Storage = storage }, authority(ca))
	f.publish("www.agency.dev", "acme.internal", "new.agency.dev", "globex.internal")
	f.trusted("www.agency.dev", ca)
	if cn := f.dial("acme.internal")[0].Subject.CommonName; cn != "acme.internal" {
		t.Errorf("certificate of %q", cn)
	}
	f.dial("new.agency.dev")
	f.dial("globex.internal")
	for _, host := range []string{"new.agency.dev", "globex.internal"} {
		if got := f.state(host); got.State != fleet.CertificateFailing || !strings.Contains(got.LastError, errReadOnly.Error()) {
			t.Errorf("%+v", got)
		}
	}
	if ca.Orders() != orders {
		t.Errorf("%d orders", ca.Orders()-orders)
	}
	storage.on.Store(false)
	f.clock.pass(time.Minute)
	eventually(t, "recovered", func() bool { return f.state("new.agency.dev").State == fleet.CertificateValid })
	f.trusted("new.agency.dev", ca)
}

// Several proxies with one storage obtain each certificate once, answer each other's challenges
// and see each other's renewals and failures.
func TestProxiesShareOneStorage(t *testing.T) {
	server, bucket := mariadb.Start(t), s3server.Start(t).Bucket()
	database := server.Database()
	for name, open := range map[string]func(t *testing.T) certmagic.Storage{
		"SQL": func(t *testing.T) certmagic.Storage {
			s, err := store.Open(t.Context(), database)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s.CertStorage()
		},
		"S3": func(t *testing.T) certmagic.Storage {
			b, err := s3.Open(bucket)
			if err != nil {
				t.Fatal(err)
			}
			return b.CertStorage()
		},
		"files": nil,
	} {
		t.Run(name, func(t *testing.T) {
			if open == nil {
				dir := t.TempDir()
				open = func(*testing.T) certmagic.Storage { return &certmagic.FileStorage{Path: dir} }
			}
			at := newPlaces(t)
			ca := pebble.Start(t, at.options())
			one := startFront(t, at, func(c *certs.Config) { c.Storage = open(t) }, authority(ca)) // validated here
			two := startFront(t, newPlaces(t), func(c *certs.Config) { c.Storage = open(t) }, authority(ca))
			both := []*front{one, two}
			for _, f := range both {
				f.hosts("a.agency.dev", "b.agency.dev", "c.agency.dev")
			}
			two.trusted("a.agency.dev", ca) // ordered by one that is not asked
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() { both[i%2].trusted([]string{"b.agency.dev", "c.agency.dev"}[i/2%2], ca) })
			}
			wg.Wait()
			if n := ca.Orders(); n != 3 {
				t.Errorf("%d orders for 3 certificates", n)
			}
			for _, host := range []string{"a.agency.dev", "b.agency.dev", "c.agency.dev"} {
				if !one.trusted(host, ca).Equal(two.trusted(host, ca)) {
					t.Errorf("%s has two certificates", host)
				}
			}
			ca.Kill()
			for _, f := range both {
				f.hosts("d.agency.dev")
			}
			one.dial("d.agency.dev")
			failed := one.state("d.agency.dev")
			if got := two.state("d.agency.dev"); got != failed || got.State != fleet.CertificateFailing {
				t.Errorf("one sees %+v, the other %+v", failed, got)
			}
			two.dial("d.agency.dev")
			if got := two.state("d.agency.dev"); got.LastTry != failed.LastTry {
				t.Error("the other proxy tried again")
			}
		})
	}
}
