package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/config"
)

func TestConfigFileNamesTheSocket(t *testing.T) {
	b := newBench(t)
	file := filepath.Join(t.TempDir(), "lxdfleet.yaml")
	if err := os.WriteFile(file, []byte("socket: {path: "+b.socket+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.socket = ""
	if r := b.run("--config", file, "tenant", "list", "--search", "acme"); r.exit != exitOK || !strings.Contains(r.out, "acme") {
		t.Errorf("%v", r)
	}
	t.Setenv(config.EnvFile, file)
	if r := b.run("tenant", "list"); r.exit != exitOK {
		t.Errorf("%v", r)
	}
	if r := b.run("--config", file+".none", "tenant", "list"); r.exit != exitFailed || !strings.Contains(r.err, "lxdfleet config example") {
		t.Errorf("%v", r)
	}
	if r := b.run("config", "example"); r.out != config.Example() {
		t.Errorf("%v", r)
	}
}
