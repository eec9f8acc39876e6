package config

import (
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func checkTLS(c Config) *fleet.Error {
	t := c.TLS
	if t.Email != "" {
		if a, err := mail.ParseAddress(t.Email); err != nil || a.Address != t.Email {
			return invalid("tls.email", "write it as ops@agency.example", "%q is not an e-mail address", t.Email)
		}
		if len(t.Authorities) == 0 {
			return invalid("tls.authorities", "name the directory of an ACME authority, or remove tls.email", "there is no authority to ask")
		}
	}
	for _, a := range t.Authorities {
		if u, err := url.Parse(a); err != nil || u.Scheme != "https" || u.Host == "" {
			return invalid("tls.authorities", "write its directory, such as https://ca.example/acme/directory", "%q is not the address of an ACME authority", a)
		}
	}
	if (t.EABKeyID == "") != (t.EABKeyFile == "") {
		return invalid("tls.eab_key_file", "set both tls.eab_key_id and tls.eab_key_file, or neither", "of key id and key one is missing")
	}
	if t.OrdersPerHour < 1 {
		return invalid("tls.orders_per_hour", "write 1 or more", "%d orders are none", t.OrdersPerHour)
	}
	if t.OrdersPerTenant < 1 {
		return invalid("tls.orders_per_tenant", "write 1 or more", "%d orders are none", t.OrdersPerTenant)
	}
	switch t.Storage {
	case "files", "database":
	case "s3":
		if c.S3.Endpoint == "" {
			return invalid("s3.endpoint", "say where the S3 server is, or set tls.storage: files", "certificates are to be kept in S3")
		}
	default:
		return invalid("tls.storage", "write files, database or s3", "%q is no place to keep certificates", t.Storage)
	}
	return absolute(place{"tls.authority_ca", t.AuthorityCA}, place{"tls.eab_key_file", t.EABKeyFile})
}

func checkDNS(c Config) *fleet.Error {
	d := c.DNS
	for _, list := range []struct {
		field string
		names []string
	}{{"dns.zones", d.Zones}, {"dns.wildcards", d.Wildcards}} {
		for _, name := range list.names {
			if p, err := fleet.ParseDomain(name); err != nil || p.String() != name {
				return invalid(list.field, "write domains in lower case, such as agency.example", "%q is not a domain", name)
			}
		}
	}
	for _, name := range d.Wildcards {
		if !slices.ContainsFunc(d.Zones, func(zone string) bool { return name == zone || strings.HasSuffix(name, "."+zone) }) {
			return invalid("dns.wildcards", "add its zone to dns.zones", "%s is in none of the zones", name)
		}
	}
	switch d.Provider {
	case "":
		if len(d.Wildcards) > 0 {
			return invalid("dns.provider", "name one, or remove dns.wildcards", "wildcard certificates need a DNS provider")
		}
		return nil
	case "rfc2136":
		if _, err := netip.ParseAddrPort(d.Server); err != nil {
			return invalid("dns.server", "write it as 192.0.2.53:53", "%q is not the address of a DNS server", d.Server)
		}
		if (d.KeyName == "") != (d.KeyFile == "") {
			return invalid("dns.key_file", "set both dns.key_name and dns.key_file, or neither", "of the key's name and the key one is missing")
		}
	case "cloudflare":
		if d.KeyFile == "" {
			return invalid("dns.key_file", "name a file with an API token", "the provider needs a token")
		}
	default:
		return invalid("dns.provider", "write rfc2136 or cloudflare", "%q is not a DNS provider that lxdfleet knows", d.Provider)
	}
	if len(d.Zones) == 0 {
		return invalid("dns.zones", "name the domains below which records may be written", "the DNS provider has no zones")
	}
	return absolute(place{"dns.key_file", d.KeyFile})
}

func checkS3(c Config) *fleet.Error {
	s := c.S3
	if s.Endpoint == "" {
		return nil
	}
	if u, err := url.Parse(s.Endpoint); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return invalid("s3.endpoint", "write it as https://s3.example", "%q is not the address of an S3 server", s.Endpoint)
	}
	if s.Bucket == "" && c.TLS.Storage == "s3" {
		return invalid("s3.bucket", "name a bucket that exists", "no bucket is named")
	}
	if (s.AccessKey == "") != (s.SecretKeyFile == "") {
		return invalid("s3.secret_key_file", "set both s3.access_key and s3.secret_key_file, or neither", "of access key and secret key one is missing")
	}
	return absolute(place{"s3.secret_key_file", s.SecretKeyFile}, place{"s3.ca_file", s.CAFile})
}

// place is a path that may be empty, else has to be absolute.
type place struct{ field, path string }

func absolute(places ...place) *fleet.Error {
	for _, p := range places {
		if p.path != "" && !filepath.IsAbs(p.path) {
			return invalid(p.field, "give a path that starts with /", "%q is not an absolute path", p.path)
		}
	}
	return nil
}
