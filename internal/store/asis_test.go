package store

import (
	"path/filepath"
	"testing"
)

// Somebody who only looks must not upgrade a database under a daemon of an older version.
func TestAsIsLeavesTheSchema(t *testing.T) {
	dsn := "sqlite://" + filepath.Join(t.TempDir(), "fleet.db")
	s, err := Open(t.Context(), dsn, AsIs())
	ok(t, err)
	defer s.Close()
	var tables int
	ok(t, s.reader.GetContext(t.Context(), &tables, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'tenants'`))
	same(t, "tables made", tables, 0)
}
