package app

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/config"
)

// What the controller has in files, a proxy gets by content and has in files of its own.
func TestSettingsForProxies(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "dns.key")
	if err := os.WriteFile(key, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctl := config.Default()
	ctl.TLS.Email, ctl.TLS.Storage, ctl.TLS.OrdersPerHour = "ops@agency.example", "database", 7
	ctl.DNS = config.DNS{Provider: "cloudflare", KeyFile: key, Zones: []string{"agency.example"}, Wildcards: []string{"agency.example"}}
	data, err := settingsFor(ctl)
	if err != nil {
		t.Fatal(err)
	}
	var s settings
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}

	edge := config.Default()
	edge.DataDir = filepath.Join(dir, "edge")
	if err := s.apply(&edge); err != nil {
		t.Fatal(err)
	}
	want := ctl
	want.DataDir, want.TLS.Storage = edge.DataDir, "files"
	want.DNS.KeyFile = filepath.Join(edge.DataDir, "settings", "dns.key_file")
	if diff := cmp.Diff(want, edge); diff != "" {
		t.Error(diff)
	}
	content, err := os.ReadFile(edge.DNS.KeyFile)
	info, statErr := os.Stat(edge.DNS.KeyFile)
	if err != nil || statErr != nil || string(content) != "secret" || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %v", content, info, err)
	}

	own := config.Default()
	own.TLS.Email, own.DataDir = "own@agency.example", filepath.Join(dir, "own")
	before := own
	if err := s.apply(&own); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, own); diff != "" {
		t.Errorf("a proxy's own settings are changed: %s", diff)
	}
}

func TestControllerAddress(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, listen, address, want string }{
		{"configured", "127.0.0.1:0", "https://ctl.example:8444", "https://ctl.example:8444"},
		{"one address", "127.0.0.1:0", "", "https://127.0.0.1:PORT"},
		{"all addresses", ":0", "", "https://" + host + ":PORT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", tt.listen)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			a := &App{linkLn: ln}
			a.cfg.Proxies.Address = tt.address
			_, port, _ := net.SplitHostPort(ln.Addr().String())
			if got := a.controllerAddress(); got != tt.want && got != tt.want[:max(0, len(tt.want)-4)]+port {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
