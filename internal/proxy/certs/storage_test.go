package certs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/proxy/certs/storagetest"
)

func TestFiles(t *testing.T) {
	storagetest.Run(t, storagetest.Maker{
		Open: func(t *testing.T) (certmagic.Storage, certmagic.Storage) {
			dir := t.TempDir()
			return &certmagic.FileStorage{Path: dir}, &certmagic.FileStorage{Path: dir}
		},
		Abandon: func(t *testing.T, s certmagic.Storage, name string) {
			path := filepath.Join(s.(*certmagic.FileStorage).Path, "locks", name+".lock")
			now := time.Now() // just before the holder was killed
			data, err := json.Marshal(map[string]time.Time{"created": now, "updated": now})
			if err == nil {
				err = os.MkdirAll(filepath.Dir(path), 0o700)
			}
			if err == nil {
				err = os.WriteFile(path, data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		Rough:   true,
		Expires: 11 * time.Second,
	})
}
