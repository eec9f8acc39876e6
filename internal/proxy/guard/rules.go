package guard

import (
	"net/http"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/origin"
)

// rules are a tenant's fleet.GuardRules over the general ones, in the form they are used in.
type rules struct {
	allow, deny     origin.Prefixes
	tenant, address rate
	inflight        int64
	maxBody         int64
	hsts            []string
	headers         bool
}

// compile fills in from general what own leaves open. Deny-lists add up, because who is kept out
// of everything is kept out of each.
func compile(own, general fleet.GuardRules) *rules {
	if len(own.Allow) == 0 {
		own.Allow = general.Allow
	}
	if own.RequestsPerSecond == 0 {
		own.RequestsPerSecond, own.Burst = general.RequestsPerSecond, general.Burst
	}
	if own.PerAddressPerSecond == 0 {
		own.PerAddressPerSecond, own.PerAddressBurst = general.PerAddressPerSecond, general.PerAddressBurst
	}
	if own.MaxInflight == 0 {
		own.MaxInflight = general.MaxInflight
	}
	if own.MaxBody == 0 {
		own.MaxBody = general.MaxBody
	}
	if own.HSTS == nil {
		own.HSTS = general.HSTS
	}
	r := &rules{
		allow: origin.NewPrefixes(own.Allow), deny: origin.NewPrefixes(slices.Concat(own.Deny, general.Deny)),
		tenant:   newRate(own.RequestsPerSecond, own.Burst),
		address:  newRate(own.PerAddressPerSecond, own.PerAddressBurst),
		inflight: int64(own.MaxInflight), maxBody: int64(own.MaxBody),
		headers: own.SecurityHeaders || general.SecurityHeaders,
	}
	if own.HSTS != nil {
		r.hsts = []string{own.HSTS.String()}
	}
	return r
}

// securityHeaders are what common applications work with unchanged. A Content-Security-Policy is
// not among them: it would have to know the application.
var securityHeaders = [...]struct {
	name  string
	value []string
}{
	{"X-Content-Type-Options", []string{"nosniff"}},
	{"X-Frame-Options", []string{"SAMEORIGIN"}},
	{"Referrer-Policy", []string{"strict-origin-when-cross-origin"}},
	{"Permissions-Policy", []string{"camera=(), geolocation=(), microphone=(), payment=(), usb=()"}},
	{"Cross-Origin-Opener-Policy", []string{"same-origin-allow-popups"}},
}

// setHeaders adds to h what the rules say and h does not have. The values are shared and must
// not be written to in place.
func (r *rules) setHeaders(h http.Header, https bool) {
	if https && r.hsts != nil {
		if _, ok := h["Strict-Transport-Security"]; !ok {
			h["Strict-Transport-Security"] = r.hsts
		}
	}
	if !r.headers {
		return
	}
	for i := range securityHeaders {
		s := &securityHeaders[i]
		if _, ok := h[s.name]; ok {
			continue
		}
		if s.name == "X-Frame-Options" && h["Content-Security-Policy"] != nil {
			continue // where it says frame-ancestors that holds, and it knows better
		}
		h[s.name] = s.value
	}
}
