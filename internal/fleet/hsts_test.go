package fleet

import "testing"

func TestParseHSTS(t *testing.T) {
	for in, want := range map[string]*HSTS{
		"1y,subdomains,preload": {MaxAge: 31536000, Subdomains: true, Preload: true},
		"30d":                   {MaxAge: 30 * 86400},
		"90m, subdomains":       {MaxAge: 5400, Subdomains: true},
		"3601":                  {MaxAge: 3601},
		"0":                     {},
		"":                      nil,
		"off":                   nil,
	} {
		got, err := ParseHSTS(in)
		if err != nil || (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
		if again, err := ParseHSTS(got.Text()); err != nil || (again == nil) != (got == nil) || again != nil && *again != *got {
			t.Errorf("%q became %q, which is %+v, %v", in, got.Text(), again, err)
		}
	}
	for _, in := range []string{"y", "-1d", "11y", "1w", "1y,all", "1y,preload", "30d,subdomains,preload", "99999999999y", "1y,", " "} {
		if got, err := ParseHSTS(in); CodeOf(err) != Invalid {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
}
