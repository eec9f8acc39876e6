package store

import (
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/proxy/certs/storagetest"
)

// testCertStorage runs the suite of all certificate storages, with locks that end sooner.
func testCertStorage(t *testing.T, db database) {
	storagetest.Run(t, storagetest.Maker{
		Open: func(t *testing.T) (certmagic.Storage, certmagic.Storage) {
			dsn := db(t)
			return brief(openAt(t, dsn)), brief(openAt(t, dsn))
		},
		Abandon: func(t *testing.T, s certmagic.Storage, name string) {
			c := s.(*CertStorage)
			ok(t, c.Lock(t.Context(), name))
			c.held[name].stop() // the beat ends, as that of a process that was killed
			delete(c.held, name)
		},
		Expires: 3 * time.Second,
	})
}

func brief(s *Store) *CertStorage {
	c := s.CertStorage()
	c.lease = 2 * time.Second
	return c
}
