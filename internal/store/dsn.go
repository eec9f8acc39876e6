package store

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	sqliteScheme = "sqlite:"
	mysqlScheme  = "mysql://"
	memoryPath   = ":memory:"
)

// badDSN is an error about the setting store.dsn. why must not hold any of the DSN's text,
// which may be a password.
func badDSN(why string) *fleet.Error {
	return fleet.Errorf(fleet.Invalid, "%s", why).WithField("store.dsn").
		WithHint("write sqlite:///PATH/lxdfleet.db or mysql://USER:PASSWORD@tcp(HOST:3306)/DATABASE")
}

// parseSQLite gives the file's absolute path, or memoryPath.
func parseSQLite(dsn string) (string, error) {
	rest := strings.TrimPrefix(dsn, sqliteScheme)
	if rest == memoryPath {
		return memoryPath, nil
	}
	path, ok := strings.CutPrefix(rest, "//")
	switch {
	case !ok || !filepath.IsAbs(path):
		return "", badDSN("the SQLite address does not give an absolute path")
	case strings.ContainsRune(path, '?'):
		return "", badDSN("an SQLite address takes no settings after a question mark")
	case strings.HasSuffix(path, "/"):
		return "", badDSN("the SQLite address names a folder, not a file")
	}
	return filepath.Clean(path), nil
}

// parseMySQL reads mysql://USER:PASSWORD@tcp(HOST:PORT)/DATABASE?settings, the form of
// go-sql-driver; a bare HOST:PORT is taken as tcp. Settings of the address may change the
// timeouts and TLS, not what the store relies on.
func parseMySQL(dsn string) (*mysql.Config, error) {
	rest := strings.TrimPrefix(dsn, mysqlScheme)
	if at, slash := strings.LastIndexByte(rest, '@'), strings.LastIndexByte(rest, '/'); slash > at {
		if host := rest[at+1 : slash]; host != "" && host != "tcp" && !strings.ContainsAny(host, "()/") {
			rest = rest[:at+1] + "tcp(" + host + ")" + rest[slash:]
		}
	}
	cfg, err := mysql.ParseDSN(rest)
	if err != nil { // not wrapped: its text may quote a part of the password
		return nil, badDSN("the MySQL address cannot be read")
	}
	if cfg.DBName == "" {
		return nil, badDSN("the MySQL address names no database")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.ReadTimeout == 0 {
		cfg.ReadTimeout = 30 * time.Second
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = 30 * time.Second
	}
	cfg.ParseTime = false
	cfg.InterpolateParams = true // one round trip a statement
	cfg.MultiStatements = false
	cfg.ClientFoundRows = true // an UPDATE tells how many rows it matched, as in SQLite
	cfg.Collation = "utf8mb4_bin"
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	cfg.Params["sql_mode"] = "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
	cfg.Params["innodb_lock_wait_timeout"] = "10" // seconds; must end before ReadTimeout
	return cfg, nil
}
