package cli

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
)

// remote is a daemon over HTTPS whose certificate its own authority signed.
func remote(t *testing.T, b *bench) (address, ca, fingerprint string) {
	t.Helper()
	o := b.Options(t.TempDir())
	var server *httptest.Server
	o.CA = func(context.Context) ([]byte, error) {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), nil
	}
	s, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server = httptest.NewUnstartedServer(s.Handler())
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	sum := sha256.Sum256(server.Certificate().Raw)
	text, _ := o.CA(t.Context())
	return server.URL, string(text), hex.EncodeToString(sum[:])
}

func TestLogin(t *testing.T) {
	b := newBench(t)
	b.socket = ""
	address, ca, fingerprint := remote(t, b)
	b.in = strings.NewReader("yes\ncarl\n" + apifake.Password + "\n")
	r := b.run("login", address, "--name", "agency")
	if r.exit != 0 || !strings.Contains(r.err, fingerprint) || !strings.Contains(r.out, "as carl (client)") {
		t.Fatal(r)
	}
	if r := b.run("whoami"); r.exit != 0 || !strings.Contains(r.out, "acme") || !strings.Contains(r.out, "token") {
		t.Error(r)
	}
	if r := b.run("tenant", "list"); r.exit != 0 || !strings.Contains(r.out, "acme") || strings.Contains(r.out, "globex") {
		t.Error(r)
	}
	if r := b.run("tenant", "restart", "acme"); r.exit != 0 {
		t.Error(r)
	}
	if r := b.run("tenant", "delete", "acme", "--now"); r.exit != 1 || !strings.Contains(r.err, "for the role operator") {
		t.Error(r)
	}
	if r := b.run("context", "list"); !strings.Contains(r.out, "agency") || !strings.Contains(r.out, address) {
		t.Error(r)
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "lxdfleet", "contexts.yaml")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v %v", file, info, err)
	}
	if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), apifake.Password) {
		t.Errorf("the password is kept: %v", err)
	}

	b.in = strings.NewReader(apifake.Password + "\n")
	if r := b.run("login", address, "--name", "boss", "--user", "anna", "--fingerprint", strings.ToUpper(fingerprint)); r.exit != 0 {
		t.Fatal(r)
	}
	made := b.run("token", "create", "ci", "--role", "viewer")
	if made.exit != 0 {
		t.Fatal(made)
	}
	pemFile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(pemFile, []byte(ca), 0o600); err != nil {
		t.Fatal(err)
	}
	b.in = strings.NewReader(made.out)
	if r := b.run("login", address, "--name", "ci", "--token", "--ca", pemFile); r.exit != 0 || !strings.Contains(r.out, "as anna (viewer)") {
		t.Fatal(r)
	}
	if r := b.run("--context", "boss", "user", "list"); r.exit != 0 || !strings.Contains(r.out, "carl") {
		t.Error(r)
	}
	if r := b.run("user", "list"); r.exit != 1 {
		t.Error(r)
	}
	if r := b.run("logout", "agency"); r.exit != 0 || r.err != "" {
		t.Error(r)
	}
	if r := b.run("--context", "agency", "tenant", "list"); r.exit != 1 || !strings.Contains(r.err, "no context") {
		t.Error(r)
	}
	if r := b.run("--context", "boss", "token", "list"); strings.Contains(r.out, "carl") {
		t.Error("the token of the login is good after the logout", r)
	}
}

func TestLoginIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, in, want string
		args           []string
	}{
		{"a daemon that is not trusted", "no\n", "is not trusted", nil},
		{"another fingerprint", "", "fingerprint is", []string{"--fingerprint", "00"}},
		{"a wrong password", "yes\nanna\nwrong\n", "are wrong", nil},
		{"no password", "yes\nanna\n", "standard input has ended", nil},
		{"the name of this machine's daemon", "", "choose another name", []string{"--name", "local"}},
		{"a token that is none", "yes\nlxdfleet_x\n", "the token is not good", []string{"--token"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.socket = ""
			address, _, _ := remote(t, b)
			b.in = strings.NewReader(test.in)
			if r := b.run(append([]string{"login", address}, test.args...)...); r.exit != 1 || !strings.Contains(r.err, test.want) {
				t.Error(r)
			}
			if r := b.run("context", "list"); strings.Contains(r.out, address) {
				t.Error("the context is kept", r)
			}
		})
	}
	b := newBench(t)
	b.socket = ""
	if r := b.run("login", "http://fleet.example"); r.exit != 1 || !strings.Contains(r.err, "https://") {
		t.Error(r)
	}
}
