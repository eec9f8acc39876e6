package fleet

import (
	"errors"
	"strings"
	"testing"
)

func TestParseDomain(t *testing.T) {
	tests := []struct{ name, in, want string }{ // want empty: refused
		{"plain", "www.client.example", "www.client.example"},
		{"upper case", "WWW.Client.Example", "www.client.example"},
		{"final dot", "client.example.", "client.example"},
		{"one label", "localhost", "localhost"},
		{"international", "bücher.example", "xn--bcher-kva.example"},
		{"A-label", "xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"digits", "1and1.example", "1and1.example"},
		{"empty", "", ""},
		{"dot", ".", ""},
		{"scheme", "https://client.example", ""},
		{"port", "client.example:443", ""},
		{"path", "client.example/a", ""},
		{"user", "me@client.example", ""},
		{"space", "client example", ""},
		{"empty label", "client..example", ""},
		{"hyphen first", "-client.example", ""},
		{"hyphen last", "client-.example", ""},
		{"underscore", "_dmarc.client.example", ""},
		{"wildcard", "*.client.example", ""},
		{"IPv4", "10.0.0.1", ""},
		{"IPv6", "::1", ""},
		{"full-width IPv4", "１０.0.0.1", ""},
		{"long label", strings.Repeat("a", 64) + ".example", ""},
		{"long", strings.Repeat("a.", 127) + "example", ""},
		{"not UTF-8", "\xff0", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseDomain(tt.in)
			if string(got) != tt.want || (err != nil) != (tt.want == "") {
				t.Fatalf("ParseDomain(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
			}
			wantExplained(t, err, "domain")
		})
	}
}

// wantExplained checks that a refusal names the field and says what to do.
func wantExplained(t *testing.T, err error, field string) {
	t.Helper()
	if err == nil {
		return
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != Invalid || e.Field != field || e.Hint == "" {
		t.Errorf("error %#v: want invalid, field %q and a hint", err, field)
	}
}

// What was accepted is in its final form: reading it again changes nothing.
func FuzzParseDomain(f *testing.F) {
	for _, seed := range []string{"www.client.example", "bücher.example", "A.B.", "xn--bcher-kva.de", "\xff0", "１.0.0.1", "ß.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDomain(s)
		if err != nil {
			return
		}
		again, err := ParseDomain(d.String())
		if err != nil || again != d {
			t.Errorf("ParseDomain(%q) = %q, which parses to %q, %v", s, d, again, err)
		}
	})
}
