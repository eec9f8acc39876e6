package spelling

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"limit", "at-once", "to", "at"}
	for _, c := range []struct {
		written string
		most    int
		want    string
	}{
		{"too", 2, "to"},
		{"at-onse", 2, "at-once"},
		{"limti", 2, "limit"},
		{"limti", 1, ""},
		{"ato", 1, "to"}, // at is as near, and comes later
		{"elsewhere", 2, ""},
		{"", 1, ""},
	} {
		if got := Nearest(c.written, words, c.most); got != c.want {
			t.Errorf("%q, %d letters at most: %q, want %q", c.written, c.most, got, c.want)
		}
	}
}
