package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// openEnv makes this test binary a process that only opens a store, writes to it and ends.
const openEnv = "LXDFLEET_TEST_OPEN"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(openEnv); dsn != "" {
		if err := openAndWrite(dsn); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func openAndWrite(dsn string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := Open(ctx, dsn)
	if err != nil {
		return err
	}
	for i := range 5 {
		if err := s.InsertTenant(ctx, aTenant(fmt.Sprintf("p%d-%d", os.Getpid(), i))); err != nil {
			return err
		}
	}
	return s.Close()
}

func testOpenConcurrent(t *testing.T, db database) {
	dsn := db(t)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			s, err := Open(t.Context(), dsn)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = s.Close() }()
			if err := s.InsertTenant(t.Context(), aTenant(fmt.Sprint("tenant", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	same(t, "tenants", len(must(openAt(t, dsn).Tenants(t.Context(), fleet.TenantFilter{}))(t)), 12)
}

func testOpenProcesses(t *testing.T, db database) {
	dsn := db(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), openEnv+"="+dsn)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Run(); err != nil {
				t.Errorf("%v: %s", err, &out)
			}
		})
	}
	wg.Wait()
	same(t, "tenants", len(must(openAt(t, dsn).Tenants(t.Context(), fleet.TenantFilter{}))(t)), 30)
}

func testOpenNewer(t *testing.T, db database) {
	dsn := db(t)
	s := openAt(t, dsn)
	_, err := s.writer.ExecContext(t.Context(), `INSERT INTO `+versionTable+` (version_id, is_applied) VALUES (9999, 1)`)
	ok(t, err)
	_, err = Open(t.Context(), dsn)
	fails(t, err, fleet.Unsupported, "store.dsn", "9999", "newer lxdfleet")
}

func testOpenAgain(t *testing.T, db database) {
	dsn := db(t)
	first := openAt(t, dsn)
	ok(t, first.InsertTenant(t.Context(), aTenant("acme")))
	ok(t, first.Close())
	second := openAt(t, dsn)
	same(t, "tenants", names(must(second.Tenants(t.Context(), fleet.TenantFilter{}))(t)), "acme")
	ok(t, second.Ping(t.Context()))
}

func testTwoStores(t *testing.T, db database) {
	dsn := db(t)
	one, two := openAt(t, dsn), openAt(t, dsn)
	before := must(two.Generation(t.Context()))(t)
	ok(t, one.InsertTenant(t.Context(), aTenant("acme")))
	if now := must(two.Generation(t.Context()))(t); now <= before {
		t.Errorf("generation stays %d", now)
	}
	must(two.Tenant(t.Context(), "acme"))(t)
}

func testEndedContext(t *testing.T, db database) {
	s := open(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"read":  func() error { _, err := s.Tenants(ctx, fleet.TenantFilter{}); return err }(),
		"write": s.InsertTenant(ctx, aTenant("acme")),
	} {
		if !errors.Is(err, context.Canceled) || errors.Is(err, fleet.Unavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	err := s.Ping(late)
	fails(t, err, fleet.Unavailable, "")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is not a deadline's error", err)
	}
	if _, err := s.Tenant(t.Context(), "acme"); !errors.Is(err, fleet.NotFound) {
		t.Errorf("after an ended context: %v", err)
	}
}

func testClosed(t *testing.T, db database) {
	s := open(t, db)
	ok(t, s.Close())
	ok(t, s.Close())
	fails(t, s.Ping(t.Context()), fleet.Unavailable, "", "closed")
	fails(t, s.InsertTenant(t.Context(), aTenant("acme")), fleet.Unavailable, "", "closed")
}

func TestOpenBadAddress(t *testing.T) {
	const secret = "s3cr/t@:)"
	for name, dsn := range map[string]string{
		"empty":               "",
		"no scheme":           "/var/lib/lxdfleet.db",
		"other database":      "postgres://u:" + secret + "@h/db",
		"relative path":       "sqlite:lxdfleet.db",
		"two slashes":         "sqlite://lxdfleet.db",
		"folder":              "sqlite:///var/lib/",
		"settings of sqlite":  "sqlite:///var/lib/x.db?mode=ro",
		"folder not there":    "sqlite://" + t.TempDir() + "/no/such/x.db",
		"mysql nothing":       "mysql://",
		"mysql no database":   "mysql://u:" + secret + "@tcp(h:1)/",
		"mysql no slash":      "mysql://u:secret@tcp(h:1)",
		"mysql open bracket":  "mysql://u:" + secret + "@tcp(h:1/db",
		"mysql other network": "mysql://u:" + secret + "@carrier(h:1)?/db",
		"mysql bad setting":   "mysql://u:" + secret + "@tcp(h:1)/db?timeout=" + secret,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), dsn)
			fails(t, err, fleet.Invalid, "store.dsn")
			if strings.Contains(fmt.Sprintf("%+v", err), "s3cr") {
				t.Errorf("%v holds the password", err)
			}
		})
	}
}

func TestParseMySQL(t *testing.T) {
	for name, test := range map[string]struct{ dsn, user, password, addr, db string }{
		"full":            {"mysql://u:p@tcp(h:1)/db", "u", "p", "h:1", "db"},
		"default port":    {"mysql://u:p@tcp(h)/db", "u", "p", "h:3306", "db"},
		"bare host":       {"mysql://u:p@h:1/db", "u", "p", "h:1", "db"},
		"socket":          {"mysql://u@unix(/run/x.sock)/db", "u", "", "/run/x.sock", "db"},
		"signs":           {"mysql://u:a/b@c:(d)@tcp(h:1)/db", "u", "a/b@c:(d)", "h:1", "db"},
		"version 6":       {"mysql://u:p@tcp([::1]:1)/db", "u", "p", "[::1]:1", "db"},
		"with parameters": {"mysql://u:p@tcp(h:1)/db?timeout=2s&parseTime=true&tls=skip-verify", "u", "p", "h:1", "db"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := must(parseMySQL(test.dsn))(t)
			got := [4]string{cfg.User, cfg.Passwd, cfg.Addr, cfg.DBName}
			same(t, "parts", got, [4]string{test.user, test.password, test.addr, test.db})
			if cfg.ParseTime || !cfg.InterpolateParams || !cfg.ClientFoundRows || cfg.Timeout == 0 || cfg.ReadTimeout == 0 {
				t.Errorf("settings: %+v", cfg)
			}
		})
	}
}

// Whatever signs a password has, it arrives whole, and an error does not quote it.
func FuzzParseMySQL(f *testing.F) {
	for _, password := range []string{"", "p", "a/b@c:(d)?e=f&g#%20", "@tcp(", ")/", "é\x00"} {
		f.Add(password, "")
		f.Add(password, "timeout=1s")
		f.Add("long-enough-password", password)
	}
	f.Fuzz(func(t *testing.T, password, settings string) {
		for _, host := range []string{"tcp(h:1)", "h:1"} {
			dsn := "mysql://u:" + password + "@" + host + "/db"
			cfg, err := parseMySQL(dsn)
			if err != nil || cfg.Passwd != password || cfg.Addr != "h:1" {
				t.Fatalf("%q: %v, %+v", dsn, err, cfg)
			}
			if _, err = parseMySQL(dsn + "?" + settings); err != nil && len(password) > 8 && strings.Contains(err.Error(), password) {
				t.Fatalf("%v holds the password", err)
			}
		}
	})
}
