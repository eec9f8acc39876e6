package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/openid"
	"github.com/lxdfleet/lxdfleet/internal/setup"
)

// openIDProvider is where people log in besides here; nil: nowhere.
func openIDProvider(cfg config.Config) (api.OpenID, error) {
	if cfg.API.OIDC.Issuer == "" {
		return nil, nil
	}
	return newOpenID(cfg)
}

func newOpenID(cfg config.Config) (*openid.Provider, error) {
	c := cfg.API.OIDC
	o := openid.Options{
		Issuer: c.Issuer, Name: c.Name, ClientID: c.ClientID, Scopes: c.Scopes, RoleClaim: c.RoleClaim, TenantsClaim: c.TenantsClaim,
		Redirect: cfg.APIAddress() + "/v1/login/openid/callback",
	}
	if c.ClientSecretFile != "" {
		o.Secret = func() (string, error) {
			text, err := os.ReadFile(c.ClientSecretFile)
			return strings.TrimSpace(string(text)), err
		}
		if _, err := o.Secret(); err != nil {
			return nil, fleet.Errorf(fleet.Invalid, "the client's secret cannot be read: %w", err).WithField("api.oidc.client_secret_file").
				WithHint("name a file that the daemon's user can read, with the secret alone in it")
		}
	}
	if c.CAFile != "" {
		text, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read api.oidc.ca_file: %w", err)
		}
		o.Roots = x509.NewCertPool()
		if !o.Roots.AppendCertsFromPEM(text) {
			return nil, fleet.Errorf(fleet.Invalid, "there is no certificate in %s", c.CAFile).WithField("api.oidc.ca_file").
				WithHint("name a file with certificates in PEM form")
		}
	}
	return openid.New(o), nil
}

// openIDFindings tries whether the provider answers, and is the one that is configured.
func openIDFindings(ctx context.Context, cfg config.Config) []setup.Finding {
	if cfg.API.OIDC.Issuer == "" {
		return nil
	}
	p, err := newOpenID(cfg)
	if err == nil {
		err = p.Check(ctx)
	}
	if err == nil {
		return []setup.Finding{{Check: "openid", State: setup.OK, Message: "the OpenID provider answers at " + cfg.API.OIDC.Issuer}}
	}
	f := setup.Finding{Check: "openid", State: setup.Warn, Message: err.Error(), Hint: "see api.oidc in the configuration file; passwords still work"}
	if e, ok := errors.AsType[*fleet.Error](err); ok {
		f.Message = e.Message
		if fleet.CodeOf(err) == fleet.Invalid {
			f.Hint = e.Hint
		}
	}
	return []setup.Finding{f}
}

func openIDRules(c config.OIDC) accounts.OpenIDRules {
	return accounts.OpenIDRules{
		Create: c.Create, LinkEmail: c.LinkEmail, Domains: c.Domains,
		Claimed: c.RoleClaim != "", Roles: c.RoleOf(), Default: fleet.Role(c.DefaultRole),
		ClaimedTenants: c.TenantsClaim != "", Most: c.SessionFor,
	}
}
