package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestCAExportWritesAFile(t *testing.T) {
	b := newBench(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if r := b.run("ca", "export", file); r.exit != exitOK || r.out != "" {
		t.Errorf("%v", r)
	}
	if data, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(data), "-----BEGIN CERTIFICATE-----") {
		t.Errorf("%q %v", data, err)
	}
	b.Fail("CA", fleet.Errorf(fleet.NotFound, "there is no authority").WithHint("start the proxy"))
	if r := b.run("ca", "export", file+"2"); r.exit != exitFailed || !strings.Contains(r.err, "Hint: start the proxy") {
		t.Errorf("%v", r)
	}
	if _, err := os.Stat(file + "2"); !os.IsNotExist(err) {
		t.Error("a file was made all the same")
	}
}
