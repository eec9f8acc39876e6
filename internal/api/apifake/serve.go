package apifake

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api"
)

// Serve serves the options on a unix socket until the test ends, and gives the socket's path.
func Serve(t testing.TB, o api.Options) (socket string, s *api.Server) {
	t.Helper()
	dir, err := os.MkdirTemp("", "lxdfleet") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	ln, err := api.Listen(t.Context(), socket, "")
	if err != nil {
		t.Fatal(err)
	}
	if s, err = api.New(o); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error("shutdown:", err)
		}
		if err := <-ended; err != nil {
			t.Error("serve:", err)
		}
	})
	return socket, s
}
