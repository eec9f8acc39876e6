package proxy

import (
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestCanonicalHost(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"plain":               {"acme.example", "acme.example"},
		"with port":           {"acme.example:8443", "acme.example"},
		"empty port":          {"acme.example:", "acme.example"},
		"final dot":           {"acme.example.", "acme.example"},
		"final dot and port":  {"acme.example.:443", "acme.example"},
		"two final dots":      {"acme.example..", ""},
		"upper case":          {"ACME.Example", "acme.example"},
		"one label":           {"localhost", "localhost"},
		"hyphens":             {"a-b.c-d.example", "a-b.c-d.example"},
		"IPv4":                {"127.0.0.1", ""},
		"IPv4 with port":      {"127.0.0.1:443", ""},
		"IPv6":                {"[::1]", ""},
		"IPv6 with port":      {"[::1]:443", ""},
		"bare IPv6":           {"::1", ""},
		"international":       {"bücher.example", "xn--bcher-kva.example"},
		"international upper": {"BÜCHER.example:443", "xn--bcher-kva.example"},
		"encoded":             {"xn--bcher-kva.example", "xn--bcher-kva.example"},
		"encoded upper":       {"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
		"empty":               {"", ""},
		"dot":                 {".", ""},
		"port only":           {":443", ""},
		"bad port":            {"acme.example:http", ""},
		"long port":           {"acme.example:443443", ""},
		"two ports":           {"acme.example:1:2", ""},
		"leading dot":         {".acme.example", ""},
		"empty label":         {"acme..example", ""},
		"leading hyphen":      {"-acme.example", ""},
		"label ends badly":    {"acme-.example", ""},
		"label starts badly":  {"acme.-example", ""},
		"underscore":          {"a_b.example", ""},
		"slash":               {"acme.example/x", ""},
		"user":                {"u@acme.example", ""},
		"space":               {"acme example", ""},
		"long label":          {strings.Repeat("a", 64) + ".example", ""},
		"longest label":       {strings.Repeat("a", 63) + ".example", strings.Repeat("a", 63) + ".example"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := canonicalHost(tc.in); got != tc.want {
				t.Errorf("canonicalHost(%q) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

// FuzzCanonicalHost: what comes out is a domain as fleet.ParseDomain gives it, or nothing; and
// however a client writes a domain, it is that domain.
func FuzzCanonicalHost(f *testing.F) {
	for _, s := range []string{
		"acme.example", "ACME.example.:443", "[::1]:443", "bücher.example", "1.2.3.4", "a--b.example",
		"xn--bcher-kva.example", "xn--a.example", "１２７.0.0.1", "a.b-", "0x7f.1", "ⅷ.example", "a:1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := canonicalHost(s)
		if got == "" {
			if d, err := fleet.ParseDomain(s); err == nil && s == string(d) {
				t.Fatalf("the domain %q is not matched", s)
			}
			return
		}
		if d, err := fleet.ParseDomain(got); err != nil || string(d) != got {
			t.Fatalf("canonicalHost(%q) = %q is not a domain in its own form: %q, %v", s, got, d, err)
		}
		for _, variant := range []string{got, got + ".", got + ":443", got + ".:443", strings.ToUpper(got)} {
			if again := canonicalHost(variant); again != got {
				t.Fatalf("canonicalHost(%q) = %q, want %q", variant, again, got)
			}
		}
	})
}

func BenchmarkCanonicalHost(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if canonicalHost("www.client-a.example:443") == "" {
			b.Fatal("not matched")
		}
	}
}
