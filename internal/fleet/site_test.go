package fleet

import (
	"maps"
	"slices"
	"testing"
	"time"
)

func TestParseDomainPattern(t *testing.T) {
	for in, want := range map[string]string{ // want empty: refused
		"www.client.example": "www.client.example", "*.client.example": "*.client.example", "*.Client.Example.": "*.client.example",
		"*.bücher.example": "*.xn--bcher-kva.example", "*.localhost": "*.localhost",
		"*": "", "*.": "", "**.a.example": "", "*.*.a.example": "", "a.*.example": "", "*a.example": "", "*.10.0.0.1": "", "*.a.example:443": "",
	} {
		got, err := ParseDomainPattern(in)
		if string(got) != want || (err != nil) != (want == "") {
			t.Errorf("ParseDomainPattern(%q) = %q, %v; want %q", in, got, err, want)
		}
		wantExplained(t, err, "domain")
	}
}

// What was accepted is in its final form, and its base is a domain.
func FuzzParseDomainPattern(f *testing.F) {
	for _, seed := range []string{"*.client.example", "bücher.example", "*.*.a", "*."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDomainPattern(s)
		if err != nil {
			return
		}
		if again, err := ParseDomainPattern(d.String()); err != nil || again != d {
			t.Errorf("ParseDomainPattern(%q) = %q, which parses to %q, %v", s, d, again, err)
		}
		if base, err := ParseDomain(d.Base().String()); err != nil || base != d.Base() {
			t.Errorf("the base of %q is %q, %v", d, base, err)
		}
	})
}

func TestDomainParts(t *testing.T) {
	for _, tt := range []struct {
		domain, base, parent Domain
		wildcard             bool
		unicode              string
	}{
		{"www.client.example", "www.client.example", "client.example", false, "www.client.example"},
		{"*.client.example", "client.example", "client.example", true, "*.client.example"},
		{"*.xn--bcher-kva.example", "xn--bcher-kva.example", "xn--bcher-kva.example", true, "*.bücher.example"},
		{"localhost", "localhost", "", false, "localhost"},
		{"", "", "", false, ""},
	} {
		d := tt.domain
		if d.Base() != tt.base || d.Parent() != tt.parent || d.Wildcard() != tt.wildcard || d.Unicode() != tt.unicode {
			t.Errorf("%q: base %q, parent %q, wildcard %v, unicode %q", d, d.Base(), d.Parent(), d.Wildcard(), d.Unicode())
		}
	}
	for domain, want := range map[Domain]bool{
		"www.client.example": true, "a.b.client.example": true, "*.client.example": true, "client.example": false, "otherclient.example": false,
	} {
		if domain.Under("client.example") != want {
			t.Errorf("%s is under client.example: %v", domain, !want)
		}
	}
	if Domain("a").Under("") {
		t.Error("under nothing")
	}
}

func TestDropDomain(t *testing.T) {
	for name, tt := range map[string]struct {
		domains []Domain
		drop    Domain
		want    []Domain
		had     bool
	}{
		"one of two":              {[]Domain{"a", "b"}, "b", []Domain{"a"}, true},
		"the primary":             {[]Domain{"a", "b", "c"}, "a", []Domain{"b", "c"}, true},
		"wildcard is no primary":  {[]Domain{"a", "*.b", "c"}, "a", []Domain{"c", "*.b"}, true},
		"only wildcards are left": {[]Domain{"a", "*.b"}, "a", []Domain{"*.b"}, true},
		"the last":                {[]Domain{"a"}, "a", []Domain{}, true},
		"not its own":             {[]Domain{"a"}, "b", []Domain{"a"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := Tenant{Domains: tt.domains, DomainSettings: map[Domain]DomainSetting{}}
			for _, d := range tt.domains[1:] {
				before.SetDomain(d, DomainSetting{Redirect: 308})
			}
			kept, settings := slices.Clone(tt.domains), maps.Clone(before.DomainSettings)
			after := before
			if had := after.DropDomain(tt.drop); had != tt.had || !slices.Equal(after.Domains, tt.want) {
				t.Errorf("%v, %v; want %v", after.Domains, had, tt.want)
			}
			if p := after.Primary(); p != "" && !p.Wildcard() && after.DomainSettings[p].Redirect != 0 {
				t.Errorf("the primary domain %s redirects", p)
			}
			for d := range after.DomainSettings {
				if !slices.Contains(after.Domains, d) {
					t.Errorf("a setting of %s stays", d)
				}
			}
			if !slices.Equal(before.Domains, kept) || !maps.Equal(before.DomainSettings, settings) {
				t.Error("a copy of the tenant changed with it")
			}
		})
	}
}

func TestSetDomainKeepsNoEmptySetting(t *testing.T) {
	tenant := Tenant{Domains: []Domain{"a"}}
	tenant.SetDomain("a", DomainSetting{Pending: true})
	if tenant.DomainSettings["a"].State() != DomainPending {
		t.Errorf("settings %v", tenant.DomainSettings)
	}
	tenant.SetDomain("a", DomainSetting{})
	tenant.SetDomain("not.its.own", DomainSetting{Pending: true})
	if tenant.DomainSettings != nil || tenant.DomainSettings["a"].State() != DomainActive {
		t.Errorf("settings %v", tenant.DomainSettings)
	}
}

func TestRouteEqual(t *testing.T) {
	base := Route{
		Domain: "a.example", Tenant: "acme", State: RouteMaintenance, Code: 308,
		Maintenance: &Maintenance{Message: "m", Until: time.Unix(9, 0)},
	}
	same := base
	same.Maintenance = &Maintenance{Message: "m", Until: time.Unix(9, 0).UTC()}
	if !base.Equal(same) || !same.Equal(base) {
		t.Error("the same routes are not equal")
	}
	for name, change := range map[string]func(*Route){
		"domain":         func(r *Route) { r.Domain = "b.example" },
		"backend":        func(r *Route) { r.Backend = "10.0.0.1:80" },
		"redirect":       func(r *Route) { r.Redirect = "b.example" },
		"code":           func(r *Route) { r.Code = 301 },
		"no maintenance": func(r *Route) { r.Maintenance = nil },
		"message":        func(r *Route) { r.Maintenance = &Maintenance{Message: "n", Until: time.Unix(9, 0)} },
		"page":           func(r *Route) { r.Maintenance = &Maintenance{Message: "m", Page: "p", Until: time.Unix(9, 0)} },
		"until":          func(r *Route) { r.Maintenance = &Maintenance{Message: "m"} },
	} {
		other := base
		change(&other)
		if base.Equal(other) || other.Equal(base) {
			t.Errorf("routes that differ in %s are equal", name)
		}
	}
}

func TestOver(t *testing.T) {
	now := time.Unix(100, 0)
	for until, want := range map[time.Time]bool{{}: false, now: true, now.Add(1): false, now.Add(-1): true} {
		if (Maintenance{Until: until}).Over(now) != want || (Hold{Until: until}).Over(now) != want {
			t.Errorf("until %v: want over %v", until, want)
		}
	}
}
