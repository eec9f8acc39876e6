package fleet

import (
	"slices"
	"strings"
)

// Leaves reports whether the filter leaves the tenant, as a store would: Statuses, the order and the
// place in the list are not looked at.
func (f TenantFilter) Leaves(t Tenant) bool {
	for _, c := range []struct{ asked, is string }{
		{f.Image, t.Image.Name}, {f.Version, t.Image.Version}, {f.Plan, t.Plan}, {f.Member, t.Member},
	} {
		if c.asked != "" && c.asked != c.is {
			return false
		}
	}
	for key, value := range f.Labels {
		if is, ok := t.Labels[key]; !ok || is != value {
			return false
		}
	}
	return (len(f.Desired) == 0 || slices.Contains(f.Desired, t.Desired)) &&
		(f.Names == nil || slices.Contains(f.Names, t.Name)) &&
		(f.Search == "" || strings.Contains(t.SearchText(), SearchText(f.Search)))
}

// SearchText is what a tenant is searched by: its name, display name and domains.
func (t Tenant) SearchText() string {
	var b strings.Builder
	b.WriteString(t.Name.String() + "\n" + t.DisplayName + "\n")
	for i, d := range t.Domains {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(d.String())
	}
	return SearchText(b.String())
}

// SearchText is the form in which text is searched and searched for: case does not matter, and
// bytes that are no UTF-8 are U+FFFD.
func SearchText(text string) string { return strings.ToLower(strings.ToValidUTF8(text, "\uFFFD")) }
