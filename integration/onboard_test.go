//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// onboarded is what the example prints.
type onboarded struct {
	Outcome, URL, Credentials string
	ShownAt                   time.Time `json:"shown_at"`
}

// TestOnboard runs the example of docs/api.md as it is there: over HTTPS, with a token.
func TestOnboard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	port := freePort(t)
	w.settings["api"] = fmt.Sprintf("  listen: \"127.0.0.1:%d\"\n", port)
	w.up()
	ca := filepath.Join(w.dir, "ca.pem")
	if err := os.WriteFile(ca, []byte(w.must("ca", "export")), 0o600); err != nil {
		t.Fatal(err)
	}
	w.must("user", "create", "ops", "--role", "operator")
	var token client.TokenCreated
	if err := json.Unmarshal([]byte(w.must("token", "create", "onboarding", "--user", "ops", "-o", "json")), &token); err != nil {
		t.Fatal(err)
	}
	onboard := func(arguments ...string) (onboarded, string, error) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "../docs/examples/onboard.sh", arguments...)
		cmd.Env = append(os.Environ(), fmt.Sprintf("FLEET=https://127.0.0.1:%d", port), "FLEET_TOKEN="+token.Secret, "FLEET_CA="+ca)
		var complaint strings.Builder
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		var got onboarded
		if err == nil {
			err = json.Unmarshal(out, &got)
		}
		return got, complaint.String(), err
	}

	first, said, err := onboard("acme", "tiny", "jo@acme.example", "acme.localhost", "www.acme.localhost")
	if err != nil || first.Outcome != "created" || first.URL != fmt.Sprintf("https://acme.localhost:%d", w.https) || !strings.Contains(first.Credentials, "/credentials#") {
		t.Fatalf("%+v, %v: %s", first, err, said)
	}
	if status, page := w.page("acme.localhost"); status != http.StatusOK || !strings.Contains(page, "tenant=acme") {
		t.Errorf("the page: %d %s", status, page)
	}
	again, said, err := onboard("acme", "tiny", "jo@acme.example", "acme.localhost", "www.acme.localhost")
	if err != nil || again.Outcome != "unchanged" || again.Credentials == "" {
		t.Fatalf("again: %+v, %v: %s", again, err, said)
	}
	_, secret, _ := strings.Cut(first.Credentials, "#")
	var shown client.Credentials
	if status, raw := w.call(http.MethodPost, "/v1/links/credentials", map[string]string{"secret": secret}, &shown); status != http.StatusOK {
		t.Fatalf("the link: %d %s", status, raw)
	}
	if inside := w.must("tenant", "exec", "acme", "--", "cat", "/root/lxdfleet-credentials"); shown.Tenant != "acme" || shown.Text != inside {
		t.Errorf("shown is %q, inside is %q", shown.Text, inside)
	}
	_, other, _ := strings.Cut(again.Credentials, "#")
	for _, used := range []string{secret, other} {
		if status, raw := w.call(http.MethodPost, "/v1/links/credentials", map[string]string{"secret": used}, nil); status != http.StatusUnauthorized {
			t.Errorf("the link once more: %d %s", status, raw)
		}
	}
	last, said, err := onboard("acme", "tiny", "jo@acme.example", "acme.localhost")
	if err != nil || last.Outcome != "changed" || last.Credentials != "" || last.ShownAt.IsZero() {
		t.Errorf("with a domain less: %+v, %v: %s", last, err, said)
	}
	if _, said, err := onboard("acme", "tiny/2", "jo@acme.example", "acme.localhost"); err == nil || !strings.Contains(said, "image: ") {
		t.Errorf("another image: %v: %s", err, said)
	}
	log := w.must("audit", "list", "-o", "json")
	for _, operation := range []string{"putTenant", "useCredentialsLink"} {
		if !strings.Contains(log, operation) {
			t.Errorf("the audit log does not have %s", operation)
		}
	}
	if strings.Contains(log, secret) || strings.Contains(w.daemon.log.tail(10_000), secret) {
		t.Error("a link's secret is in a log")
	}
}
