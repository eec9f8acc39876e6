package fleet

import (
	"strings"
	"testing"
)

func TestParseProxyName(t *testing.T) {
	tests := []struct {
		name, in string
		ok       bool
	}{
		{"host name", "edge-1.agency.example", true},
		{"one digit", "1", true},
		{"63 letters", strings.Repeat("a", 63), true},
		{"64 letters", strings.Repeat("a", 64), false},
		{"empty", "", false},
		{"capital", "Edge", false},
		{"path", "a/b", false},
		{"dot first", ".a", false},
		{"line break", "a\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseProxyName(tt.in)
			if (err == nil) != tt.ok || tt.ok && got != tt.in {
				t.Fatalf("%q, %v; want ok %v", got, err, tt.ok)
			}
			wantExplained(t, err, "name")
		})
	}
}
