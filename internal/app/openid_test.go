package app

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/openid/openidtest"
	"github.com/lxdfleet/lxdfleet/internal/setup"
)

func TestOpenIDProviderFromConfiguration(t *testing.T) {
	cfg := config.Default()
	if p, err := openIDProvider(cfg); p != nil || err != nil {
		t.Fatal("without an issuer there is a provider:", p, err)
	}
	cfg.API.Address = "https://fleet.example"
	real := openidtest.Start(t, "https://fleet.example/v1/login/openid/callback", openidtest.User{Subject: "1", Username: "ada", Groups: []string{"ops"}})
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	o := &cfg.API.OIDC
	o.Issuer, o.ClientID, o.RoleClaim, o.Roles = real.Issuer, openidtest.ClientID, "groups", []string{"operator=ops"}
	o.ClientSecretFile, o.CAFile = file("secret", "wrong"), file("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: real.Certificate()})))
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	p, err := openIDProvider(cfg)
	if err != nil {
		t.Fatal(err)
	}
	file("secret", openidtest.Secret+"\n") // the secret is replaced while the daemon runs
	address, kept, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	who, err := p.Finish(t.Context(), kept, real.Login(t, address, "ada").Query())
	if err != nil || who.Subject != "1" || len(who.Roles) != 1 || openIDRules(*o).Roles[who.Roles[0]] != fleet.RoleOperator {
		t.Errorf("%+v, %v", who, err)
	}
	check := func(state setup.State, message, hint string) {
		t.Helper()
		f := openIDFindings(t.Context(), cfg)
		if len(f) != 1 || f[0].State != state || !strings.Contains(f[0].Message, message) || !strings.Contains(f[0].Hint, hint) {
			t.Errorf("%+v", f)
		}
	}
	check(setup.OK, "answers at "+real.Issuer, "")
	o.Issuer += "/"
	check(setup.Warn, "calls itself "+real.Issuer, "exactly what it calls itself")
	real.Away(true)
	check(setup.Warn, "does not answer", "passwords still work")
	for _, change := range []func(){func() { o.CAFile = file("none.pem", "") }, func() { o.ClientSecretFile = filepath.Join(dir, "none") }} {
		change()
		if _, err := openIDProvider(cfg); fleet.CodeOf(err) != fleet.Invalid {
			t.Error(err)
		}
	}
}
