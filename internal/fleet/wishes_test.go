package fleet

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWishesTidy(t *testing.T) {
	many := make([]string, 0, mostWishes+1)
	for i := range mostWishes + 1 {
		many = append(many, "disk="+strings.Repeat("x", i+1))
	}
	for _, tt := range []struct {
		name  string
		have  Wishes
		want  Wishes
		field string // of the error
	}{
		{name: "none"},
		{
			name: "sorted, once each",
			have: Wishes{Require: []string{" disk=nvme", "arch=amd64", "disk=nvme"}, Apart: []string{"client=x", "acme"}, Pinned: true},
			want: Wishes{Require: []string{"arch=amd64", "disk=nvme"}, Apart: []string{"acme", "client=x"}, Pinned: true},
		},
		{name: "a value may have an equals sign", have: Wishes{Prefer: []string{"a=b=c"}}, want: Wishes{Prefer: []string{"a=b=c"}}},
		{name: "a name is no label", have: Wishes{Require: []string{"nvme"}}, field: "require"},
		{name: "no value", have: Wishes{Prefer: []string{"disk="}}, field: "prefer"},
		{name: "no key", have: Wishes{Prefer: []string{"=nvme"}}, field: "prefer"},
		{name: "not a name", have: Wishes{Apart: []string{"Acme!"}}, field: "apart"},
		{name: "both", have: Wishes{Apart: []string{"acme"}, Together: []string{"acme"}}, field: "together"},
		{name: "not printable", have: Wishes{Together: []string{"a=\x1b[2J"}}, field: "together"},
		{name: "too many", have: Wishes{Require: many}, field: "require"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.have.Tidy()
			if tt.field != "" {
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Code != Invalid || e.Field != tt.field || e.Hint == "" {
					t.Fatalf("error %v, want one of field %s", err, tt.field)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Fatalf("%v\n%s", err, diff)
			}
			if got.Empty() != got.Equal(Wishes{}) {
				t.Errorf("%+v is empty: %v", got, got.Empty())
			}
		})
	}
}
