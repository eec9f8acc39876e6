package openid

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// claims are what the provider says of somebody.
type claims map[string]any

// identity reads what there is of an identity in claims.
func (c claims) identity(o Options, subject string) fleet.Identity {
	return fleet.Identity{
		Issuer: o.Issuer, Subject: subject,
		Email: c.text("email"), EmailVerified: c.yes("email_verified"),
		Username: c.text("preferred_username"), Name: c.text("name"),
		Roles: c.list(o.RoleClaim), Tenants: c.list(o.TenantsClaim),
	}
}

// lacks reports whether one of the wanted claims is not there.
func (c claims) lacks(wanted ...string) bool {
	for _, path := range wanted {
		if path != "" && c.at(path) == nil {
			return true
		}
	}
	return false
}

// fill adds what is missing.
func (c claims) fill(more claims) {
	for name, value := range more {
		if _, there := c[name]; !there {
			c[name] = value
		}
	}
}

// at finds a claim by its name, or else by a path with dots, such as realm_access.roles.
func (c claims) at(path string) any {
	if value, ok := c[path]; ok {
		return value
	}
	var value any = map[string]any(c)
	for name := range strings.SplitSeq(path, ".") {
		inner, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = inner[name]
	}
	return value
}

func (c claims) text(name string) string { s, _ := c[name].(string); return s }

// yes reads a truth, which some providers write as text.
func (c claims) yes(name string) bool { return c[name] == true || c[name] == "true" }

// list reads a claim that is a list of texts, or one text of words.
func (c claims) list(path string) []string {
	if path == "" {
		return nil
	}
	switch value := c.at(path).(type) {
	case string:
		return strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' })
	case []any:
		var out []string
		for _, item := range value {
			if text, ok := item.(string); ok {
				out = append(out, text)
			}
		}
		return out
	}
	return nil
}

func readClaims(from interface{ Claims(any) error }) (claims, error) {
	var raw json.RawMessage
	out := claims{}
	err := from.Claims(&raw)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("read the claims: %w", err)
	}
	return out, nil
}
