package proxy

import (
	"fmt"
	"strings"
)

// counts lists requests by tenant and code.
func (f *front) counts() string {
	var b strings.Builder
	for _, t := range f.Traffic().Tenants {
		for _, c := range t.Codes {
			fmt.Fprintf(&b, "%s %d %d\n", t.Tenant, c.Code, c.Requests)
		}
	}
	return b.String()
}
