package fleet

import (
	"maps"
	"slices"
	"time"
)

// DomainState is whether a tenant's domain is served.
type DomainState string

// The states of a domain.
const (
	// DomainActive: it is served.
	DomainActive DomainState = "active"
	// DomainPending: it is the tenant's, but not served until a TXT record proves that whoever
	// added it may decide over the name.
	DomainPending DomainState = "pending"
)

// DomainSetting is what is kept of a tenant's domain besides its name. The zero value is a
// domain that is served as it is and needed no proof.
type DomainSetting struct {
	Pending bool `json:"pending,omitempty"`
	// Redirect is the status (301 or 308) that sends visitors to the primary domain; 0: none.
	Redirect   int       `json:"redirect,omitempty"`
	VerifiedAt time.Time `json:"verified_at,omitzero"` // when the proof was found
}

// State is the setting's DomainState.
func (s DomainSetting) State() DomainState {
	if s.Pending {
		return DomainPending
	}
	return DomainActive
}

// DomainCheck is the outcome of the last look for a pending domain's proof.
type DomainCheck struct {
	At    time.Time `json:"at,omitzero"`     // zero: never looked
	Next  time.Time `json:"next,omitzero"`   // when it is looked for again
	Fails int       `json:"fails"`           // in a row
	Error string    `json:"error,omitempty"` // why it was not found
}

// Maintenance closes a tenant to its visitors: they see a page with status 503.
type Maintenance struct {
	Message string    `json:"message,omitempty"` // for visitors, plain text; empty: a general one
	Page    string    `json:"page,omitempty"`    // HTML to show instead of lxdfleet's own page
	Since   time.Time `json:"since,omitzero"`
	Until   time.Time `json:"until,omitzero"` // it ends by itself then; zero: when somebody ends it
}

// Over reports whether it has ended by itself.
func (m Maintenance) Over(now time.Time) bool { return !m.Until.IsZero() && !now.Before(m.Until) }

// Equal reports whether visitors are shown the same.
func (m Maintenance) Equal(o Maintenance) bool {
	return m.Message == o.Message && m.Page == o.Page && m.Since.Equal(o.Since) && m.Until.Equal(o.Until)
}

func (m *Maintenance) same(o *Maintenance) bool {
	return m == o || m != nil && o != nil && m.Equal(*o)
}

// Hold is a reason for which a tenant's requests wait at the gate. They wait while there is one.
type Hold struct {
	Reason string    `json:"reason"` // unique within the tenant
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"` // it ends by itself then; zero: when somebody ends it
	// Job is the job that makes them wait, and ends it; empty: an operator does.
	Job string `json:"job,omitempty"`
}

// Over reports whether it has ended by itself.
func (h Hold) Over(now time.Time) bool { return !h.Until.IsZero() && !now.Before(h.Until) }

// SetDomain sets what is kept of one of the tenant's domains. The map is made anew, so that
// copies of the tenant keep theirs.
func (t *Tenant) SetDomain(d Domain, s DomainSetting) {
	settings := maps.Clone(t.DomainSettings)
	if settings == nil {
		settings = map[Domain]DomainSetting{}
	}
	settings[d] = s
	t.DomainSettings = settings
	t.tidyDomains()
}

// DropDomain takes a domain from the tenant. It reports whether the tenant had it. The primary
// domain after it is the first that is no wildcard, if there is one, and does not redirect.
func (t *Tenant) DropDomain(d Domain) bool {
	i := slices.Index(t.Domains, d)
	if i < 0 {
		return false
	}
	t.Domains = slices.Delete(slices.Clone(t.Domains), i, i+1)
	if i := slices.IndexFunc(t.Domains, func(o Domain) bool { return !o.Wildcard() }); i >= 0 {
		first := t.Domains[i]
		t.Domains = slices.Insert(slices.Delete(t.Domains, i, i+1), 0, first)
		setting := t.DomainSettings[first]
		setting.Redirect = 0
		t.SetDomain(first, setting)
	}
	t.tidyDomains()
	return true
}

// tidyDomains drops settings that say nothing or are of domains the tenant has not.
func (t *Tenant) tidyDomains() {
	kept := map[Domain]DomainSetting{}
	for d, s := range t.DomainSettings {
		if s != (DomainSetting{}) && slices.Contains(t.Domains, d) {
			kept[d] = s
		}
	}
	if len(kept) == 0 {
		kept = nil
	}
	t.DomainSettings = kept
}

// Primary is the domain that the others may redirect to: the first. Empty where there is none.
func (t Tenant) Primary() Domain {
	if len(t.Domains) == 0 {
		return ""
	}
	return t.Domains[0]
}
