package config

import (
	"net"
	"net/url"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func checkOIDC(c Config) *fleet.Error {
	o := c.API.OIDC
	if o.Issuer == "" {
		none := Default().API.OIDC
		none.Scopes, none.SessionFor = o.Scopes, o.SessionFor
		o.Domains, o.Roles = append([]string(nil), o.Domains...), append([]string(nil), o.Roles...) // [] is as good as nothing
		if !reflect.DeepEqual(o, none) {
			return invalid("api.oidc.issuer", "write the provider's address, or remove the other settings", "there is no provider to use them with")
		}
		return nil
	}
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return invalid("api.oidc.issuer", "write it as https://id.example.org", "%q is not the address of an OpenID provider", o.Issuer)
	}
	if c.API.Listen == "off" {
		return invalid("api.oidc.issuer", "set api.listen too, or remove this", "without api.listen nobody comes back from the provider")
	}
	if o.ClientID == "" {
		return invalid("api.oidc.client_id", "register lxdfleet with the provider and write what it is called there", "the provider has to know us")
	}
	if len(o.Name) > 60 || strings.ContainsFunc(o.Name, func(r rune) bool { return r < ' ' }) {
		return invalid("api.oidc.name", "write a few words in one line", "%q is not a name for people", o.Name)
	}
	for _, f := range []struct{ field, path string }{{"api.oidc.client_secret_file", o.ClientSecretFile}, {"api.oidc.ca_file", o.CAFile}} {
		if f.path != "" && !filepath.IsAbs(f.path) {
			return invalid(f.field, "give a path that starts with /", "%q is not an absolute path", f.path)
		}
	}
	for _, scope := range o.Scopes {
		if scope == "" || strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			return invalid("api.oidc.scopes", "write them as [openid, profile, email]", "%q is not a scope", scope)
		}
	}
	for _, domain := range o.Domains {
		if _, err := fleet.ParseDomain(domain); err != nil {
			return invalid("api.oidc.domains", "write them as [agency.example]", "%q is not a domain", domain)
		}
	}
	if err := checkOIDCRoles(o); err != nil {
		return err
	}
	return durations(span{"api.oidc.session_for", o.SessionFor, time.Minute})
}

func checkOIDCRoles(o OIDC) *fleet.Error {
	seen := map[string]bool{}
	for _, pair := range o.Roles {
		role, value, ok := strings.Cut(pair, "=")
		if _, err := fleet.ParseRole(role); err != nil || !ok || value == "" {
			return invalid("api.oidc.roles", "write them as [admin=fleet-admins, viewer=staff]", "%q does not say which role a value gives", pair)
		}
		if seen[value] {
			return invalid("api.oidc.roles", "give each value one role", "%q gives two roles", value)
		}
		seen[value] = true
	}
	if o.DefaultRole != "" {
		if _, err := fleet.ParseRole(o.DefaultRole); err != nil {
			return invalid("api.oidc.default_role", "write admin, operator, viewer or client", "%q is not a role", o.DefaultRole)
		}
	}
	switch {
	case o.RoleClaim == "" && len(o.Roles) > 0:
		return invalid("api.oidc.role_claim", "name the claim that has the values", "without it api.oidc.roles means nothing")
	case o.RoleClaim != "" && len(o.Roles) == 0 && o.DefaultRole == "":
		return invalid("api.oidc.roles", "say which value gives which role", "nobody would have a role")
	case o.RoleClaim == "" && o.Create && o.DefaultRole == "":
		return invalid("api.oidc.default_role", "write the role of users that are made, such as viewer", "users that are made would have no role")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
