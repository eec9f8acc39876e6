package fleet

import (
	"errors"
	"strings"
	"testing"
)

func TestAdminCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		admin *Admin
		field string
	}{
		"none":             {nil, ""},
		"an address":       {&Admin{Email: "jo@acme.example", Name: "Jo Müller"}, ""},
		"a tagged address": {&Admin{Email: "jo.m+wp_1@mail-1.acme.example"}, ""},
		"empty":            {&Admin{}, "admin.email"},
		"no host":          {&Admin{Email: "jo@"}, "admin.email"},
		"a quote":          {&Admin{Email: "jo'; rm@acme.example"}, "admin.email"},
		"a line end":       {&Admin{Email: "jo@acme.example\nx"}, "admin.email"},
		"long":             {&Admin{Email: strings.Repeat("j", 200) + "@acme.example"}, "admin.email"},
		"a control sign":   {&Admin{Email: "jo@acme.example", Name: "\x1b[2J"}, "admin.name"},
	} {
		t.Run(name, func(t *testing.T) {
			field := ""
			if refused, ok := errors.AsType[*Error](tt.admin.Check()); ok {
				field = refused.Field
			}
			if field != tt.field {
				t.Errorf("field %q, want %q", field, tt.field)
			}
		})
	}
}
