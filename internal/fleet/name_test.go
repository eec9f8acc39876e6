package fleet

import (
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	tests := []struct {
		name, in string
		ok       bool
	}{
		{"plain", "acme", true},
		{"one letter", "a", true},
		{"digits and hyphens", "acme-2-b", true},
		{"63 letters", strings.Repeat("a", 63), true},
		{"64 letters", strings.Repeat("a", 64), false},
		{"empty", "", false},
		{"capital", "Acme", false},
		{"digit first", "2acme", false},
		{"hyphen first", "-acme", false},
		{"hyphen last", "acme-", false},
		{"dot", "acme.com", false},
		{"underscore", "acme_1", false},
		{"line break", "acme\n", false},
		{"kept for lxdfleet", "lxdfleet-build", false},
		{"only looks kept", "lxdfleet", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseName(tt.in)
			if (err == nil) != tt.ok || tt.ok && string(got) != tt.in {
				t.Fatalf("ParseName(%q) = %q, %v; want ok %v", tt.in, got, err, tt.ok)
			}
			wantExplained(t, err, "name")
		})
	}
}

// A name can always be used as a label of a domain.
func FuzzParseName(f *testing.F) {
	f.Add("acme")
	f.Add("a-1")
	f.Add("xn--bcher-kva")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseName(s)
		if err != nil || strings.HasPrefix(s, "xn--") || len(s) > 3 && s[2:4] == "--" { // IDNA has rules of its own for these
			return
		}
		if d, err := ParseDomain(n.String() + ".example"); err != nil || string(d) != s+".example" {
			t.Errorf("name %q makes the domain %q, %v", n, d, err)
		}
	})
}
