package tenants

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// zone is all of DNS.
type zone struct {
	mu    sync.Mutex
	txt   map[string][]string // by name, without the final dot
	hosts map[string][]string // addresses, or one name it is an alias of
	down  bool
	asked int // for TXT records
}

func (z *zone) look(records map[string][]string, name string) ([]string, error) {
	name, absolute := strings.CutSuffix(name, ".")
	if !absolute {
		return nil, errors.New("the name is not absolute")
	}
	if z.down {
		return nil, &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	}
	if found := records[name]; len(found) > 0 {
		return found, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// LookupTXT implements Resolver.
func (z *zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked++
	return z.look(z.txt, name)
}

// LookupCNAME implements Resolver.
func (z *zone) LookupCNAME(_ context.Context, host string) (string, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	found, err := z.look(z.hosts, host)
	if err != nil {
		return "", err
	}
	if _, err := netip.ParseAddr(found[0]); err == nil {
		return host, nil
	}
	return found[0] + ".", nil
}

// LookupNetIP implements Resolver.
func (z *zone) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	found, err := z.look(z.hosts, host)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(found[0]); err != nil {
		if found, err = z.look(z.hosts, found[0]+"."); err != nil {
			return nil, err
		}
	}
	var all []netip.Addr
	for _, a := range found {
		all = append(all, netip.MustParseAddr(a))
	}
	return all, nil
}

// prove sets the record that proves the domain for the tenant.
func (z *zone) prove(t fleet.Tenant, d fleet.Domain) {
	z.mu.Lock()
	defer z.mu.Unlock()
	record := proofRecord(t.ID, d)
	z.txt[record.Name] = append(z.txt[record.Name], "v=spf1 -all", record.Value)
}

func (z *zone) setDown(down bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.down = down
}

func (z *zone) questions() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked
}

// certs has a certificate for every host.
type certs struct {
	mu      sync.Mutex
	retried []string
	err     error
}

// Status implements Certificates.
func (c *certs) Status(_ context.Context, host string) (fleet.Certificate, error) {
	return fleet.Certificate{Host: host, State: fleet.CertificateValid, Issuer: "internal"}, c.err
}

// Retry implements Certificates.
func (c *certs) Retry(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retried = append(c.retried, host)
}

func (w *world) add(tenant, domain string) DomainView {
	w.t.Helper()
	v, err := w.service.AddDomain(w.t.Context(), fleet.Name(tenant), DomainRequest{Domain: domain})
	if err != nil {
		w.t.Fatalf("add %s to %s: %v", domain, tenant, err)
	}
	return v
}

// routes gives the state of each host's route.
func (w *world) routes() map[fleet.Domain]fleet.RouteState {
	w.t.Helper()
	list, err := w.observer.Routes(w.t.Context())
	if err != nil {
		w.t.Fatalf("routes: %v", err)
	}
	states := map[fleet.Domain]fleet.RouteState{}
	for _, r := range list {
		states[r.Domain] = r.State
	}
	return states
}

func TestDomainLife(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		if v := w.add("acme", "WWW.acme.test."); v.Domain != "www.acme.test" || v.State() != fleet.DomainActive || v.Primary || v.Tenant != "acme" {
			t.Errorf("added: %+v", v)
		}
		before := w.get("acme").Revision
		w.add("acme", "www.acme.test") // again: nothing changes
		if after := w.get("acme").Revision; after != before {
			t.Errorf("a repeat made revision %d of %d", after, before)
		}
		w.add("acme", "*.acme.test")
		v, err := w.service.ChangeDomain(t.Context(), "www.acme.test", DomainChange{Primary: true})
		do(t, err)
		if !v.Primary {
			t.Errorf("changed: %+v", v)
		}
		if v, err = w.service.ChangeDomain(t.Context(), "acme.example.test", DomainChange{Redirect: new(308)}); err != nil || v.Target != "www.acme.test" {
			t.Errorf("redirect: %+v, %v", v, err)
		}
		want := map[fleet.Domain]fleet.RouteState{
			"www.acme.test": fleet.RouteServe, "*.acme.test": fleet.RouteServe, "acme.example.test": fleet.RouteRedirect,
		}
		if diff := cmp.Diff(want, w.routes()); diff != "" {
			t.Errorf("routes:\n%s", diff)
		}
		time.Sleep(time.Minute)
		inst, _ := w.lxd.Seen("acme")
		rebuilt, err := tenantOf(inst)
		do(t, err)
		if got := w.get("acme").Tenant; !slices.Equal(rebuilt.Domains, got.Domains) || rebuilt.DomainSettings["acme.example.test"].Redirect != 308 {
			t.Errorf("keys say %v %v, the store %v", rebuilt.Domains, rebuilt.DomainSettings, got.Domains)
		}
		// Without the primary one the next that is no wildcard is it, and redirects no more.
		do(t, w.service.RemoveDomain(t.Context(), "www.acme.test"))
		want = map[fleet.Domain]fleet.RouteState{"*.acme.test": fleet.RouteServe, "acme.example.test": fleet.RouteServe}
		if diff := cmp.Diff(want, w.routes()); diff != "" {
			t.Errorf("routes:\n%s", diff)
		}
		if got := w.get("acme").Primary(); got != "acme.example.test" {
			t.Errorf("primary %s", got)
		}
		wantError(t, w.service.RemoveDomain(t.Context(), "www.acme.test"), fleet.NotFound, "domain", "www.acme.test")
		wantError(t, w.service.RemoveDomain(t.Context(), "acme.example.test"), fleet.Conflict, "domain", "wildcards only")
		do(t, w.service.RemoveDomain(t.Context(), "*.acme.test"))
		w.tenant("globex")
		w.add("globex", "www.acme.test") // free again
	})
}

func TestDomainRefusals(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.tenant("globex")
		w.tenant("initech")
		w.done(w.service.Remove(t.Context(), "initech", false, Once{}))
		for name, tt := range map[string]struct {
			tenant fleet.Name
			req    DomainRequest
			code   fleet.Code
			field  string
			says   string
		}{
			"no domain":           {"acme", DomainRequest{Domain: "https://x"}, fleet.Invalid, "domain", "bare host name"},
			"two stars":           {"acme", DomainRequest{Domain: "*.*.a.test"}, fleet.Invalid, "domain", ""},
			"star inside":         {"acme", DomainRequest{Domain: "a.*.test"}, fleet.Invalid, "domain", ""},
			"no tenant":           {"nobody", DomainRequest{Domain: "a.test"}, fleet.NotFound, "", "nobody"},
			"in the trash":        {"initech", DomainRequest{Domain: "a.test"}, fleet.Conflict, "", "undelete initech"},
			"odd redirect":        {"acme", DomainRequest{Domain: "a.test", Redirect: 302}, fleet.Invalid, "redirect", "301 or 308"},
			"primary redirects":   {"acme", DomainRequest{Domain: "acme.example.test", Redirect: 301}, fleet.Invalid, "redirect", "primary"},
			"redirect to itself":  {"acme", DomainRequest{Domain: "a.test", Primary: true, Redirect: 301}, fleet.Invalid, "redirect", "primary"},
			"wildcard as primary": {"acme", DomainRequest{Domain: "*.a.test", Primary: true}, fleet.Invalid, "primary", "wildcard"},
			"another's":           {"acme", DomainRequest{Domain: "globex.example.test"}, fleet.Taken, "domain", "_lxdfleet.globex.example.test to lxdfleet="},
		} {
			_, err := w.service.AddDomain(t.Context(), tt.tenant, tt.req)
			t.Log(name, "-", err)
			wantError(t, err, tt.code, tt.field, tt.says)
		}
		_, err := w.service.ChangeDomain(t.Context(), "nobody.test", DomainChange{Primary: true})
		wantError(t, err, fleet.NotFound, "domain")
		_, err = w.service.Domain(t.Context(), "nobody.test")
		wantError(t, err, fleet.NotFound, "domain")
		_, err = w.service.CheckDomain(t.Context(), "a b")
		wantError(t, err, fleet.Invalid, "domain")
		_, err = w.service.Domains(t.Context(), DomainFilter{Tenant: "nobody"})
		wantError(t, err, fleet.NotFound, "")
		_, err = w.service.Create(t.Context(), CreateRequest{Name: "hooli", Image: "wordpress", Domains: []string{"*.a.test"}}, Once{})
		wantError(t, err, fleet.Invalid, "domain", "wildcard")
		do(t, w.service.RemoveDomain(t.Context(), "initech.example.test")) // frees a name in the trash
	})
}

func TestProofNeeded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.service.opt.Verify = VerifyNever
		for _, d := range []string{"acme.com", "*.shop.acme.com", "acme.internal"} {
			w.add("acme", d)
		}
		globex := w.tenant("globex")
		for _, tt := range []struct {
			domain              fleet.Domain
			auto, always, never bool
		}{
			{"globex.localhost", false, true, false},
			{"globex", false, true, false},
			{"www.globex.test", false, true, false},
			{"*.globex.internal", false, true, false},
			{"nas.home.arpa", false, true, false},
			{"globex.com", true, true, false},
			{"*.globex.co.uk", true, true, false},
			{"globex.github.io", true, true, false},
			{"xn--bcher-kva.de", true, true, false},
			{"com", true, true, false},
			{"other.example.test", false, false, false},   // below the base domain
			{"a.other.example.test", false, false, false}, // deeper
			{"a.acme.example.test", true, true, false},    // below acme's own domain
			{"*.acme.example.test", true, true, false},    // would catch what is below it
			{"*.example.test", false, true, false},        // the base domain itself, which is not public
			{"shop.acme.internal", true, true, false},
			{"*.acme.internal", true, true, false},
			{"x.shop.acme.com", true, true, false},
			{"y.x.shop.acme.com", true, true, false},
			{"acme-two.internal", false, true, false},
		} {
			for verify, want := range map[Verify]bool{VerifyAuto: tt.auto, VerifyAlways: tt.always, VerifyNever: tt.never} {
				w.service.opt.Verify = verify
				why, err := w.service.proofNeeded(t.Context(), globex, tt.domain)
				do(t, err)
				if (why != "") != want {
					t.Errorf("%s with %s: %q, want a proof: %v", tt.domain, verify, why, want)
				}
			}
		}
	})
}

func TestPendingDomainIsServedOnceProven(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		acme := w.tenant("acme")
		watching, stop := context.WithCancel(t.Context())
		var watch sync.WaitGroup
		watch.Go(func() { (&DomainWatch{Service: w.service}).Run(watching) })
		defer watch.Wait()
		defer stop()

		v := w.add("acme", "www.acme.com")
		if v.State() != fleet.DomainPending || v.Check.Fails != 1 || !strings.Contains(v.Check.Error, "no TXT record _lxdfleet.www.acme.com") || v.Certificate != nil {
			t.Fatalf("added: %+v", v)
		}
		record := proofRecord(acme.ID, "www.acme.com")
		if diff := cmp.Diff([]DNSRecord{record}, v.ToSet); diff != "" {
			t.Errorf("records to set:\n%s", diff)
		}
		if _, served := w.routes()["www.acme.com"]; served {
			t.Error("it is served without a proof")
		}
		// Looked for less and less often.
		before := w.dns.questions()
		time.Sleep(80 * time.Minute)
		if n := w.dns.questions() - before; n < 6 || n > 9 {
			t.Errorf("%d questions in 80 minutes", n)
		}
		w.dns.setDown(true)
		v, err := w.service.CheckDomain(t.Context(), "www.acme.com")
		if err != nil || v.State() != fleet.DomainPending || !strings.Contains(v.Check.Error, "server misbehaving") || len(w.certs.retried) > 0 {
			t.Errorf("while DNS is down: %+v, %v", v, err)
		}
		w.dns.setDown(false)
		w.dns.prove(fleet.Tenant{ID: "another"}, "www.acme.com")
		if v, err = w.service.CheckDomain(t.Context(), "www.acme.com"); err != nil || v.State() != fleet.DomainPending || len(v.DNS.Proof) != 2 {
			t.Errorf("with another's proof: %+v, %v", v, err)
		}
		w.dns.prove(acme, "www.acme.com")
		time.Sleep(30 * time.Second) // the last look by hand began the pauses anew
		if w.routes()["www.acme.com"] != fleet.RouteServe {
			t.Fatalf("not served: %+v", w.get("acme").DomainSettings)
		}
		if v, err = w.service.Domain(t.Context(), "www.acme.com"); err != nil || v.VerifiedAt.IsZero() || v.Check.Error != "" || len(v.ToSet) != 0 || v.Certificate == nil {
			t.Errorf("proven: %+v, %v", v, err)
		}
		// What is below a proven domain of the same tenant needs no proof of its own.
		if v := w.add("acme", "shop.www.acme.com"); v.Pending {
			t.Errorf("below: %+v", v)
		}
		if v := w.add("acme", "*.www.acme.com"); v.Pending {
			t.Errorf("wildcard: %+v", v)
		}
		// And one look is enough.
		w.add("acme", "acme.org")
		w.dns.prove(acme, "acme.org")
		v, err = w.service.CheckDomain(t.Context(), "acme.org")
		if err != nil || v.Pending || !slices.Contains(w.certs.retried, "acme.org") {
			t.Errorf("checked: %+v, %v, retried %v", v, err, w.certs.retried)
		}
	})
}

func TestCreatedWithPublicDomain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.done(w.service.Create(t.Context(), CreateRequest{
			Name: "acme", Image: "wordpress", Domains: []string{"www.acme.com", "acme.localhost"},
		}, Once{}))
		acme := w.get("acme").Tenant
		if diff := cmp.Diff(map[fleet.Domain]fleet.RouteState{"acme.localhost": fleet.RouteServe}, w.routes()); diff != "" {
			t.Errorf("routes:\n%s", diff)
		}
		if env := w.hooks[0].Env; env["LXDFLEET_DOMAIN"] != "www.acme.com" {
			t.Errorf("the hook was told %v", env)
		}
		// A redirect never leads to a domain that is not served.
		_, err := w.service.ChangeDomain(t.Context(), "acme.localhost", DomainChange{Redirect: new(301)})
		do(t, err)
		if w.routes()["acme.localhost"] != fleet.RouteServe {
			t.Errorf("routes %v", w.routes())
		}
		w.dns.prove(acme, "www.acme.com")
		_, err = w.service.CheckDomain(t.Context(), "www.acme.com")
		do(t, err)
		want := map[fleet.Domain]fleet.RouteState{"www.acme.com": fleet.RouteServe, "acme.localhost": fleet.RouteRedirect}
		if diff := cmp.Diff(want, w.routes()); diff != "" {
			t.Errorf("routes:\n%s", diff)
		}
	})
}

func TestDomainTakenOver(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		globex := w.tenant("globex")
		w.add("acme", "shop.com") // pending: acme never proved it
		w.add("acme", "shop.test")
		for _, d := range []fleet.Domain{"shop.com", "shop.test", "acme.example.test"} {
			_, err := w.service.AddDomain(t.Context(), "globex", DomainRequest{Domain: d.String()})
			wantError(t, err, fleet.Taken, "domain", "acme", proofRecord(globex.ID, d).Value)
			w.dns.prove(globex, d)
			if v := w.add("globex", d.String()); v.Tenant != "globex" || v.Pending || v.VerifiedAt.IsZero() {
				t.Errorf("taken over: %+v", v)
			}
		}
		if acme := w.get("acme"); len(acme.Domains) != 0 || acme.DomainSettings != nil {
			t.Errorf("acme keeps %v %v", acme.Domains, acme.DomainSettings)
		}
		time.Sleep(time.Minute)
		for name, want := range map[string]string{"acme": "", "globex": "globex.example.test shop.com shop.test acme.example.test"} {
			if inst, _ := w.lxd.Seen(name); inst.Config[fleet.KeyDomains] != want {
				t.Errorf("keys of %s say %q, want %q", name, inst.Config[fleet.KeyDomains], want)
			}
		}
		w.add("acme", "back.test") // the first one is the primary one
		if got := w.get("acme").Primary(); got != "back.test" {
			t.Errorf("primary %q", got)
		}
		w.service.opt.Verify = VerifyNever
		_, err := w.service.AddDomain(t.Context(), "globex", DomainRequest{Domain: "back.test"})
		wantError(t, err, fleet.Taken, "domain", "domain remove back.test")
	})
}

func TestDomainList(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("globex")
		w.tenant("acme")
		w.add("acme", "b.com")
		w.add("globex", "a.test")
		list := func(f DomainFilter) string {
			t.Helper()
			found, err := w.service.Domains(t.Context(), f)
			do(t, err)
			var names []string
			for _, v := range found {
				names = append(names, v.Domain.String())
			}
			return strings.Join(names, " ")
		}
		for name, tt := range map[string]struct {
			filter DomainFilter
			want   string
		}{
			"all":         {DomainFilter{}, "a.test acme.example.test b.com globex.example.test"},
			"of a tenant": {DomainFilter{Tenant: "acme"}, "acme.example.test b.com"},
			"pending":     {DomainFilter{State: fleet.DomainPending}, "b.com"},
			"page":        {DomainFilter{After: "a.test", Limit: 2}, "acme.example.test b.com"},
			"none":        {DomainFilter{After: "z"}, ""},
		} {
			if got := list(tt.filter); got != tt.want {
				t.Errorf("%s: %q, want %q", name, got, tt.want)
			}
		}
	})
}

func TestDomainShowsDNS(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.tenant("acme")
		w.service.opt.Verify, w.service.opt.Target = VerifyNever, "front.agency.net"
		w.dns.hosts = map[string][]string{
			"front.agency.net": {"192.0.2.1", "2001:db8::1"},
			"alias.acme.com":   {"front.agency.net"},
			"acme.com":         {"192.0.2.1"},
			"old.acme.com":     {"198.51.100.7"}, "acme.org": {"198.51.100.7"},
			"lxdfleet-check.any.acme.com": {"2001:db8::1"},
		}
		address := []DNSRecord{{"A", "acme.org", "192.0.2.1"}, {"AAAA", "acme.org", "2001:db8::1"}}
		for domain, want := range map[string]struct {
			seen DNSSeen
			set  []DNSRecord
		}{
			"alias.acme.com": {DNSSeen{Addresses: []string{"192.0.2.1", "2001:db8::1"}, CNAME: "front.agency.net"}, nil},
			"acme.com":       {DNSSeen{Addresses: []string{"192.0.2.1"}}, nil},
			"*.any.acme.com": {DNSSeen{Addresses: []string{"2001:db8::1"}}, nil},
			"old.acme.com":   {DNSSeen{Addresses: []string{"198.51.100.7"}}, []DNSRecord{{"CNAME", "old.acme.com", "front.agency.net"}}},
			"new.acme.com":   {DNSSeen{Error: "DNS has no address for it"}, []DNSRecord{{"CNAME", "new.acme.com", "front.agency.net"}}},
			"acme.org":       {DNSSeen{Addresses: []string{"198.51.100.7"}}, address},
			"acme.localhost": {DNSSeen{}, nil}, // nobody asked
		} {
			v := w.add("acme", domain)
			if diff := cmp.Diff(want.seen, v.DNS); diff != "" {
				t.Errorf("%s (-want +got):\n%s", domain, diff)
			}
			if diff := cmp.Diff(want.set, v.ToSet); diff != "" {
				t.Errorf("records for %s (-want +got):\n%s", domain, diff)
			}
		}
		if v, err := w.service.Domain(t.Context(), "acme.localhost"); err != nil || v.DNS.Error != "DNS has no address for it" {
			t.Errorf("shown: %+v, %v", v.DNS, err)
		}
		w.certs.err = errors.New("storage is away")
		v, err := w.service.Domain(t.Context(), "acme.com")
		if err != nil || v.Certificate == nil || v.Certificate.LastError != "storage is away" {
			t.Errorf("certificate %+v, %v", v.Certificate, err)
		}
	})
}

// The proof is bound to the tenant and the name; a wildcard shares that of its base.
func TestProofRecord(t *testing.T) {
	a := proofRecord("id-1", "client.example")
	if a != proofRecord("id-1", "*.client.example") || a.Name != "_lxdfleet.client.example" || !strings.HasPrefix(a.Value, "lxdfleet=") || len(a.Value) > 64 {
		t.Errorf("record %+v", a)
	}
	if a.Value == proofRecord("id-2", "client.example").Value || a.Value == proofRecord("id-1", "www.client.example").Value {
		t.Error("the proof is not bound to tenant and name")
	}
}
