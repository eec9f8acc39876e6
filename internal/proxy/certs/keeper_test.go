package certs

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const nobody = "no-site.invalid"

func TestHandshakes(t *testing.T) {
	w := newWorld(t, nil)
	w.lead("acme", "www.agency.dev", "acme.localhost", "*.wild.localhost", "*.wild.dev")
	for host, want := range map[string]string{
		"www.agency.dev": "www.agency.dev", "WWW.agency.dev.": "www.agency.dev", "acme.localhost": "acme.localhost",
		"a.wild.localhost": "*.wild.localhost", "b.wild.localhost": "*.wild.localhost", "": nobody, "stranger.dev": nobody,
		"*.wild.localhost": "*.wild.localhost", "a.wild.dev": nobody, "b.a.wild.localhost": nobody, "127.0.0.1": nobody,
	} {
		for range 2 {
			if got := w.hello(host); got != want {
				t.Errorf("%q gets the certificate of %q", host, got)
			}
		}
	}
	if got := w.asked(); !slices.Equal(got, []string{"www.agency.dev"}) {
		t.Errorf("asked for %q", got)
	}
	if err := w.decide(t.Context(), "stranger.dev"); err == nil {
		t.Error("certmagic may keep a stranger's certificate")
	}
}

func TestHandshakesShareOneOrder(t *testing.T) {
	w := newWorld(t, nil)
	w.lead("acme", "www.agency.dev")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got := w.hello("www.agency.dev"); got != "www.agency.dev" {
				t.Errorf("certificate of %q", got)
			}
		})
	}
	wg.Wait()
	if got := w.asked(); len(got) != 1 {
		t.Errorf("%d orders", len(got))
	}
}

func TestAuthoritiesInOrder(t *testing.T) {
	w := newWorld(t, nil)
	w.lead("acme", "a.dev", "b.dev", "c.dev")
	w.hello("a.dev")
	w.fail("one", errRefused)
	w.hello("b.dev")
	w.fail("two", errRefused)
	w.hello("c.dev")
	for host, want := range map[string]fleet.Certificate{
		"a.dev": {State: fleet.CertificateValid, Issuer: "one"},
		"b.dev": {State: fleet.CertificateValid, Issuer: "two"},
		"c.dev": {State: fleet.CertificateFailing},
	} {
		if got := w.state(host); got.State != want.State || got.Issuer != want.Issuer {
			t.Errorf("%s: %+v", host, got)
		}
	}
	reason := w.state("c.dev").LastError
	if !strings.Contains(reason, "one: ") || !strings.Contains(reason, "two: ") || strings.Count(reason, errRefused.Error()) != 2 {
		t.Error(reason)
	}
}

func TestBackoff(t *testing.T) {
	var got []time.Duration
	for n := 1; n <= 13; n++ {
		got = append(got, backoff(n)/time.Minute)
	}
	if want := []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440, 1440}; !slices.Equal(got, want) {
		t.Errorf("minutes %d", got)
	}
	var r record
	r.failed(time.Unix(0, 0), "x", true)
	if r.NextTry != time.Unix(3600, 0) {
		t.Errorf("asked too often: next try at %v", r.NextTry)
	}
}

// Nothing is ordered during a back-off, by handshakes, by the schedule or by certmagic.
func TestNothingIsTriedDuringABackoff(t *testing.T) {
	w := newWorld(t, nil)
	w.lead("acme", "www.dev")
	w.fail("one", errRefused)
	w.fail("two", errRefused)
	w.run()
	w.Want(w)
	eventually(t, "a failure", func() bool { return w.state("www.dev").State == fleet.CertificateFailing })
	for range 20 {
		if got := w.hello("www.dev"); got != nobody {
			t.Errorf("certificate of %q", got)
		}
		w.clock.pass(2 * time.Second) // far enough for a look at the record
	}
	if got := w.asked(); len(got) != 2 {
		t.Errorf("%d orders", len(got))
	}
	if err := w.public.ObtainCertSync(t.Context(), "www.dev"); err == nil || len(w.asked()) != 2 {
		t.Errorf("certmagic orders by itself: %v", err)
	}
	w.fail("one", nil)
	if err := w.Retry(t.Context(), "www.dev"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a certificate", func() bool { return w.state("www.dev").State == fleet.CertificateValid })
	if got := w.hello("www.dev"); got != "www.dev" {
		t.Errorf("certificate of %q", got)
	}
	if err := w.Retry(t.Context(), "stranger.dev"); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("retry for a stranger: %v", err)
	}
}

// What one proxy learns by an operator's retry, another one sees within half a minute.
func TestRetryIsSeenByOtherProxies(t *testing.T) {
	one := newWorld(t, nil)
	two := newWorld(t, func(c *Config) { c.Storage = one.storage })
	for _, w := range []*world{one, two} {
		w.lead("acme", "www.dev")
		w.fail("one", errRefused)
		w.fail("two", errRefused)
		w.hello("www.dev")
	}
	if len(two.asked()) != 0 || two.state("www.dev").State != fleet.CertificateFailing {
		t.Fatalf("the other proxy: %d orders, %+v", len(two.asked()), two.state("www.dev"))
	}
	two.fail("one", nil)
	if err := one.Retry(t.Context(), "www.dev"); err != nil {
		t.Fatal(err)
	}
	if two.hello("www.dev"); len(two.asked()) != 0 {
		t.Error("the record is read in each handshake")
	}
	two.clock.pass(recheckEvery)
	if got := two.hello("www.dev"); got != "www.dev" {
		t.Errorf("certificate of %q", got)
	}
}

func TestRenewal(t *testing.T) {
	w := newWorld(t, nil)
	w.lead("acme", "www.dev", "acme.localhost")
	w.run()
	w.Want(w)
	w.hello("www.dev")
	before := w.state("www.dev")
	w.clock.pass(59 * 24 * time.Hour)
	w.hello("www.dev")
	if w.state("www.dev").NotAfter != before.NotAfter {
		t.Error("renewed a month and a day ahead")
	}
	w.fail("one", errRefused)
	w.fail("two", errRefused)
	w.clock.pass(2 * 24 * time.Hour)
	eventually(t, "a failed renewal", func() bool { return w.state("www.dev").LastError != "" })
	if got := w.state("www.dev"); got.State != fleet.CertificateValid || got.NextTry.IsZero() || w.hello("www.dev") != "www.dev" {
		t.Errorf("while it cannot be renewed: %+v", got)
	}
	w.fail("one", nil)
	w.clock.pass(time.Minute)
	eventually(t, "a renewal", func() bool { return w.state("www.dev").NotAfter.After(before.NotAfter) })
	eventually(t, "it is served", func() bool { // a moment after it is in storage
		cert, err := w.GetCertificate(helloFor("www.dev"))
		return err == nil && cert.Leaf.NotAfter.Equal(w.state("www.dev").NotAfter)
	})
	if got := w.state("www.dev"); got.LastError != "" {
		t.Errorf("%+v", got)
	}
}

// One that another proxy renewed is taken into use without an order.
func TestRenewedByAnotherProxy(t *testing.T) {
	one := newWorld(t, nil)
	two := newWorld(t, func(c *Config) { c.Storage = one.storage })
	for _, w := range []*world{one, two} {
		w.lead("acme", "www.dev")
		w.hello("www.dev")
		w.clock.pass(61 * 24 * time.Hour)
	}
	one.run()
	one.Want(one)
	eventually(t, "a renewal", func() bool {
		return len(one.asked()) == 2 && one.state("www.dev").NotAfter.After(one.clock.now().Add(80*24*time.Hour))
	})
	two.run()
	two.Want(two)
	eventually(t, "the new one", func() bool {
		cert, err := two.GetCertificate(helloFor("www.dev"))
		return err == nil && cert.Leaf.NotAfter.After(two.clock.now().Add(80*24*time.Hour))
	})
	if n := len(two.asked()); n != 0 {
		t.Errorf("%d orders of the other proxy", n)
	}
}

func TestLimits(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.ACME.PerHour, c.ACME.TenantPerHour = 20, 4 })
	greedy, others := names(10, "g%d.dev"), names(20, "t%d.dev")
	w.lead("greedy", greedy...)
	for _, host := range others {
		w.lead("tenant-"+host, host)
	}
	for _, host := range greedy {
		w.hello(host)
	}
	if n := len(w.asked()); n != 4 {
		t.Errorf("%d orders for one tenant", n)
	}
	got := w.state("g9.dev")
	if got.State != fleet.CertificateOrdering || !strings.Contains(got.LastError, "4 orders an hour for tenant greedy") ||
		got.NextTry.Sub(w.clock.now()).Round(time.Second) != 15*time.Minute {
		t.Errorf("%+v", got)
	}
	for _, host := range others {
		w.hello(host)
	}
	if n := len(w.asked()); n != 16 { // a fifth is left for renewals
		t.Errorf("%d orders for all", n)
	}
	if got := w.state("t19.dev"); got.State != fleet.CertificateOrdering || !strings.Contains(got.LastError, "limit of 20 orders an hour") {
		t.Errorf("%+v", got)
	}
	w.clock.pass(15 * time.Minute) // one more for the tenant, five for all
	if w.hello("g9.dev") != "g9.dev" || w.hello("g8.dev") == "g8.dev" || w.hello("t19.dev") != "t19.dev" {
		t.Errorf("after a quarter of an hour: %q", w.asked()[16:])
	}
	again := newWorld(t, func(c *Config) {
		c.Storage = w.storage
		c.ACME.PerHour, c.ACME.TenantPerHour = 20, 4
	})
	again.clock.at = w.clock.now()
	again.lead("greedy", "after-a-restart.dev")
	if again.hello("after-a-restart.dev") != nobody {
		t.Error("a restart lifts the limit")
	}
}

func TestBuckets(t *testing.T) {
	a := &ACME{PerHour: 10, TenantPerHour: 3}
	now := time.Unix(1_000_000, 0)
	take := func(b *buckets, n int, tenant fleet.Name, why purpose, renewal bool) (got int, wait time.Duration) {
		for range n {
			if _, wait = b.take(now, a, tenant, why, renewal); wait > 0 {
				return got, wait
			}
			got++
		}
		return got, 0
	}
	for name, tc := range map[string]struct {
		tenant  fleet.Name
		why     purpose
		renewal bool
		want    int
	}{
		"a tenant's":       {"acme", visited, false, 3},
		"shared, visited":  {"", visited, false, 8},
		"shared, unasked":  {"", unasked, false, 5},
		"renewals":         {"acme", unasked, true, 10},
		"renewals, shared": {"", visited, true, 10},
	} {
		var b buckets
		if got, wait := take(&b, 20, tc.tenant, tc.why, tc.renewal); got != tc.want || wait <= 0 || wait > time.Hour {
			t.Errorf("%s: %d, then %v", name, got, wait)
		}
	}
	var b buckets
	take(&b, 3, "acme", visited, false)
	_, wait := b.take(now, a, "acme", visited, false)
	now = now.Add(wait - time.Second)
	if _, w := b.take(now, a, "acme", visited, false); w <= 0 {
		t.Error("taken before its time")
	}
	if now = now.Add(time.Second); wait != 20*time.Minute {
		t.Errorf("wait %v", wait)
	}
	if _, w := b.take(now, a, "acme", visited, false); w > 0 {
		t.Errorf("not at its time: %v", w)
	}
	now = now.Add(3 * time.Hour)
	if take(&b, 1, "globex", visited, false); len(b.Tenants) != 1 {
		t.Errorf("tenants that are full again are kept: %v", b.Tenants)
	}
	now = now.Add(-2 * time.Hour) // another proxy's clock is behind
	if got, _ := take(&b, 20, "", visited, true); got != 9 {
		t.Errorf("%d with a clock that is behind", got)
	}
}

func TestPlan(t *testing.T) {
	dns := &DNS{Zones: []fleet.Domain{"agency.dev", "shop.dev"}, Wildcards: []fleet.Domain{"clients.agency.dev"}}
	for name, tc := range map[string]struct {
		acme   *ACME
		domain string
		want   plan
	}{
		"no ACME":              {nil, "www.dev", plan{subject: "www.dev", tenant: "t", way: byCA}},
		"public":               {&ACME{}, "www.dev", plan{subject: "www.dev", tenant: "t", way: byChallenge}},
		"private":              {&ACME{}, "acme.localhost", plan{subject: "acme.localhost", tenant: "t", way: byCA}},
		"private wildcard":     {&ACME{}, "*.localhost", plan{subject: "*.localhost", tenant: "t", way: byCA}},
		"everything":           {&ACME{Everything: true}, "acme.internal", plan{subject: "acme.internal", tenant: "t", way: byChallenge}},
		"below the base":       {&ACME{DNS: dns}, "acme.clients.agency.dev", plan{subject: "*.clients.agency.dev", way: byDNS}},
		"the base":             {&ACME{DNS: dns}, "clients.agency.dev", plan{subject: "clients.agency.dev", tenant: "t", way: byDNS}},
		"deeper":               {&ACME{DNS: dns}, "a.b.clients.agency.dev", plan{subject: "a.b.clients.agency.dev", tenant: "t", way: byDNS}},
		"wildcard of a tenant": {&ACME{DNS: dns}, "*.shop.dev", plan{subject: "*.shop.dev", tenant: "t", way: byDNS}},
		"no zone of ours":      {&ACME{DNS: dns}, "notshop.dev", plan{subject: "notshop.dev", tenant: "t", way: byChallenge}},
	} {
		k := &Keeper{cfg: Config{ACME: tc.acme}}
		got := k.plan("some.host", fleet.Route{Domain: fleet.Domain(tc.domain), Tenant: "t"})
		if d := cmp.Diff(tc.want, got, cmp.AllowUnexported(plan{})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	k := &Keeper{cfg: Config{ACME: &ACME{}}}
	if got := k.plan("a.other.dev", fleet.Route{Domain: "*.other.dev"}); got.way != byNobody || !strings.Contains(got.why, "DNS-01") {
		t.Errorf("wildcard without DNS: %+v", got)
	}
}

func TestPrivate(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "acme.localhost": true, "intranet": true, "a.internal": true, "a.test": true, "a.invalid": true, "a.lan": true,
		"a.local": true, "nas.home.arpa": true, "a.example": true, "a.example.com": false, "internal.dev": false, "a.dev": false, "local.agency.de": false,
	} {
		if private(host) != want {
			t.Errorf("%s: %v", host, !want)
		}
	}
}

// Hosts that leave the table are forgotten, in memory too.
func TestForgotten(t *testing.T) {
	w := newWorld(t, nil)
	w.lead("acme", names(20, "t%d.localhost")...)
	w.run()
	w.Want(w)
	eventually(t, "all are known", func() bool {
		for _, host := range names(20, "t%d.localhost") {
			if w.state(host).State != fleet.CertificateValid {
				return false
			}
		}
		return true
	})
	w.hello("t1.localhost")
	w.mu.Lock()
	w.routes = map[string]fleet.Route{}
	w.mu.Unlock()
	w.lead("acme", "t2.localhost")
	w.Want(w)
	eventually(t, "all but one are forgotten", func() bool {
		w.Keeper.mu.Lock()
		defer w.Keeper.mu.Unlock()
		return len(w.entries) == 1
	})
	if w.hello("t1.localhost") != nobody || len(w.cache.AllMatchingCertificates("t1.localhost")) != 0 {
		t.Error("still in memory")
	}
}

// A stored certificate that is cut off is replaced, not served and not in the way.
func TestDamagedCertificateIsReplaced(t *testing.T) {
	w := newWorld(t, nil)
	w.lead("acme", "www.dev")
	w.hello("www.dev")
	for _, file := range []string{"www.dev.crt", "www.dev.key"} {
		if err := w.storage.Store(t.Context(), "certificates/fake-one/www.dev/"+file, []byte("-----BEGIN")); err != nil {
			t.Fatal(err)
		}
		again := newWorld(t, func(c *Config) { c.Storage = w.storage })
		again.lead("acme", "www.dev")
		if got := again.hello("www.dev"); got != "www.dev" || len(again.asked()) != 1 {
			t.Errorf("%s: certificate of %q, %d orders", file, got, len(again.asked()))
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no storage": {}, "no e-mail": {ACME: &ACME{Authorities: []Authority{{Directory: "x"}}}}, "no authority": {ACME: &ACME{Email: "x"}},
	} {
		if name != "no storage" {
			cfg.Storage, cfg.Lookup = newWorld(t, nil).storage, newWorld(t, nil).lookup
		}
		if _, err := Open(t.Context(), cfg); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkHandshakeKnown(b *testing.B) {
	w := newWorld(b, nil)
	w.lead("acme", "www.agency.dev")
	w.hello("www.agency.dev")
	hello := helloFor("www.agency.dev")
	b.ReportAllocs()
	for b.Loop() {
		if cert, err := w.GetCertificate(hello); err != nil || cert == w.fallback {
			b.Fatal("not served")
		}
	}
}

func BenchmarkHandshakeStranger(b *testing.B) {
	w := newWorld(b, nil)
	hello := helloFor("www.agency.dev")
	b.ReportAllocs()
	for b.Loop() {
		if cert, err := w.GetCertificate(hello); err != nil || cert != w.fallback {
			b.Fatal("served")
		}
	}
}

func BenchmarkObtain(b *testing.B) {
	w := newWorld(b, func(c *Config) { c.ACME = nil })
	i := 0
	for b.Loop() {
		i++
		host := "client-" + time.Duration(i).String() + ".example"
		w.lead("acme", host)
		if w.hello(host) != host {
			b.Fatal("not obtained")
		}
	}
}
