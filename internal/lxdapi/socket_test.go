package lxdapi_test

import (
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi"
)

func TestConnectWithoutLXD(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead.socket")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	for _, c := range []struct{ name, socket, lxdDir, says string }{
		{"named", filepath.Join(dir, "missing"), "", "missing"},
		{"by LXD_DIR", "", filepath.Join(dir, "d"), filepath.Join(dir, "d", "unix.socket")},
		{"nobody listens", dead, "", "start LXD"},
	} {
		t.Setenv("LXD_SOCKET", "")
		t.Setenv("LXD_DIR", c.lxdDir)
		_, err := lxdapi.Connect(t.Context(), lxdapi.Options{Socket: c.socket})
		if fleet.CodeOf(err) != fleet.Unavailable || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error is %v", c.name, err)
		}
	}
}

// TestLXDComesLater: a lazy client finds an LXD that starts after it, and one that comes back.
func TestLXDComesLater(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "unix.socket")
	client, err := lxdapi.Connect(t.Context(), lxdapi.Options{Socket: socket, Lazy: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range 2 {
		if _, err := client.Pools(t.Context()); fleet.CodeOf(err) != fleet.Unavailable {
			t.Errorf("without LXD: error is %v", err)
		}
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"type":"sync","metadata":[{"name":"default"}]}`))
		})}
		go func() { _ = server.Serve(l) }()
		if pools, err := client.Pools(t.Context()); err != nil || len(pools) != 1 {
			t.Errorf("with LXD: %v, error %v", pools, err)
		}
		_ = server.Close()
	}
}
