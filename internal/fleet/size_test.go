package fleet

import "testing"

func TestParseSize(t *testing.T) {
	tests := []struct {
		name, in string
		want     Size // negative: refused
	}{
		{"bytes", "512", 512},
		{"bytes with unit", "512B", 512},
		{"binary", "10GiB", 10 << 30},
		{"decimal", "10GB", 10_000_000_000},
		{"kilo", "3kB", 3000},
		{"space", "1 MiB", 1 << 20},
		{"zero", "0", 0},
		{"empty", "", -1},
		{"unit alone", "GiB", -1},
		{"negative", "-1GiB", -1},
		{"plus", "+1GiB", -1},
		{"fraction", "1.5GiB", -1},
		{"unknown unit", "1XB", -1},
		{"too large", "9999999TiB", -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseSize(tt.in)
			if (err != nil) != (tt.want < 0) || err == nil && got != tt.want {
				t.Fatalf("ParseSize(%q) = %d, %v; want %d", tt.in, got, err, tt.want)
			}
			wantExplained(t, err, "size")
		})
	}
}

// Writing a size and reading it gives the same size.
func FuzzParseSize(f *testing.F) {
	f.Add("10GiB")
	f.Add("7B")
	f.Fuzz(func(t *testing.T, s string) {
		size, err := ParseSize(s)
		if err != nil {
			return
		}
		if again, err := ParseSize(size.String()); err != nil || again != size || size < 0 {
			t.Errorf("ParseSize(%q) = %d, written %q, read %d, %v", s, size, size, again, err)
		}
	})
}
