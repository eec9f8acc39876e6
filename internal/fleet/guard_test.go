package fleet

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"slices"
	"testing"
)

func TestParsePrefix(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"IPv4 network":           {"203.0.113.0/24", "203.0.113.0/24"},
		"IPv6 network":           {" 2001:db8::/32 ", "2001:db8::/32"},
		"IPv4 address":           {"203.0.113.9", "203.0.113.9/32"},
		"IPv6 address":           {"2001:db8::1", "2001:db8::1/128"},
		"IPv4 written as IPv6":   {"::ffff:203.0.113.9", "203.0.113.9/32"},
		"IPv4 network as IPv6":   {"::ffff:203.0.113.0/120", "203.0.113.0/24"},
		"everything":             {"0.0.0.0/0", "0.0.0.0/0"},
		"bits beyond the length": {"203.0.113.9/24", ""},
		"a name":                 {"client.example", ""},
		"empty":                  {"", ""},
		"a length too long":      {"203.0.113.0/33", ""},
		"half IPv4, half IPv6":   {"::ffff:0.0.0.0/90", ""},
		"a zone":                 {"fe80::1%eth0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParsePrefix(c.in)
			if c.want == "" {
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Code != Invalid || e.Field != "prefix" || e.Hint == "" {
					t.Fatalf("ParsePrefix(%q) = %v, %v; want an Invalid error of field prefix with a hint", c.in, got, err)
				}
				return
			}
			if err != nil || got.String() != c.want {
				t.Fatalf("ParsePrefix(%q) = %v, %v; want %s", c.in, got, err, c.want)
			}
		})
	}
}

func TestParsePrefixesSortsAndNamesTheField(t *testing.T) {
	got, err := ParsePrefixes("allow", []string{"10.2.0.0/16", "10.1.0.0/16", "10.2.0.0/16"})
	if want := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("10.2.0.0/16")}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %v, %v; want %v", got, err, want)
	}
	if _, err = ParsePrefixes("deny", []string{"x"}); fieldIn(err) != "deny" {
		t.Fatalf("the error %v does not name the field", err)
	}
	if _, err = ParsePrefixes("deny", make([]string, maxPrefixes+1)); fieldIn(err) != "deny" {
		t.Fatalf("a list without bound was taken: %v", err)
	}
}

func fieldIn(err error) string {
	e, _ := errors.AsType[*Error](err)
	if e == nil {
		return ""
	}
	return e.Field
}

func TestGuardRulesValidate(t *testing.T) {
	valid := func() GuardRules {
		return GuardRules{
			Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, RequestsPerSecond: 50, Burst: 100,
			PerAddressPerSecond: 5, MaxInflight: 10, MaxBody: 10 * MiB, HSTS: &HSTS{MaxAge: minPreload, Subdomains: true, Preload: true},
		}
	}
	for name, c := range map[string]struct {
		change func(*GuardRules)
		field  string
	}{
		"valid":                        {func(*GuardRules) {}, ""},
		"none":                         {func(g *GuardRules) { *g = GuardRules{} }, ""},
		"negative rate":                {func(g *GuardRules) { g.RequestsPerSecond = -1 }, "requests_per_second"},
		"rate that is no number":       {func(g *GuardRules) { g.PerAddressPerSecond = math.NaN() }, "per_address_per_second"},
		"rate of next to nothing":      {func(g *GuardRules) { g.RequestsPerSecond = 1e-9 }, "requests_per_second"},
		"burst without rate":           {func(g *GuardRules) { g.RequestsPerSecond = 0 }, "burst"},
		"negative in flight":           {func(g *GuardRules) { g.MaxInflight = -1 }, "max_in_flight"},
		"negative body":                {func(g *GuardRules) { g.MaxBody = -1 }, "max_body"},
		"empty prefix":                 {func(g *GuardRules) { g.Deny = []netip.Prefix{{}} }, "deny"},
		"prefix with more bits":        {func(g *GuardRules) { g.Allow[0] = netip.MustParsePrefix("10.0.0.1/8") }, "allow"},
		"preload for a day":            {func(g *GuardRules) { g.HSTS.MaxAge = 86400 }, "hsts"},
		"HSTS for longer than anybody": {func(g *GuardRules) { g.HSTS = &HSTS{MaxAge: math.MaxInt32} }, "hsts"},
	} {
		t.Run(name, func(t *testing.T) {
			g := valid()
			c.change(&g)
			err := g.Validate()
			if c.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code != Invalid || e.Field != c.field {
				t.Fatalf("got %v, want an Invalid error of field %s", err, c.field)
			}
		})
	}
}

func TestGuardRulesSurviveJSON(t *testing.T) {
	g := GuardRules{
		Deny: []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}, MaxBody: GiB,
		HSTS: &HSTS{MaxAge: 60}, SecurityHeaders: true,
	}
	data, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	var again GuardRules
	if err := json.Unmarshal(data, &again); err != nil || !g.Equal(again) {
		t.Fatalf("%s became %+v (%v)", data, again, err)
	}
	again.HSTS = &HSTS{MaxAge: 61}
	if g.Equal(again) {
		t.Fatal("different rules are said to be equal")
	}
}

func TestHSTSString(t *testing.T) {
	if got := (HSTS{MaxAge: 31536000, Subdomains: true, Preload: true}).String(); got != "max-age=31536000; includeSubDomains; preload" {
		t.Fatal(got)
	}
}

func FuzzParsePrefix(f *testing.F) {
	for _, s := range []string{"203.0.113.0/24", "::1", "::ffff:1.2.3.4/100", "a", "1.2.3.4/5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePrefix(s)
		if err != nil {
			return
		}
		again, err := ParsePrefix(p.String())
		if err != nil || again != p || p.Addr().Is4In6() || p.Masked() != p {
			t.Fatalf("%q gave %v, which gave %v, %v", s, p, again, err)
		}
	})
}
