//go:build integration

package s3_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/integration/s3server"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/certs/storagetest"
	"github.com/lxdfleet/lxdfleet/internal/s3"
)

func storageAt(t *testing.T, cfg s3.Config) *s3.CertStorage {
	t.Helper()
	b, err := s3.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s3.Brief(b.CertStorage(), 2*time.Second)
}

func TestCertStorage(t *testing.T) {
	server := s3server.Start(t)
	storagetest.Run(t, storagetest.Maker{
		Open: func(t *testing.T) (certmagic.Storage, certmagic.Storage) {
			cfg := server.Bucket()
			cfg.Prefix = "some/where"
			return storageAt(t, cfg), storageAt(t, cfg)
		},
		Abandon: func(t *testing.T, s certmagic.Storage, name string) {
			if err := s.Lock(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			s3.Abandon(s.(*s3.CertStorage), name)
		},
		Expires: 4 * time.Second,
	})
}

// A server that answers 409 while somebody else's object goes is asked again; one that never answers
// otherwise is quoted when the time is over.
func TestLockMeetsConflicts(t *testing.T) {
	cfg := s3server.Start(t).Bucket()
	server, err := url.Parse(cfg.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var refuse atomic.Int32
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(server)
		r.Out.Host = r.In.Host // it is signed
	}})
	t.Cleanup(front.Close)
	pass := front.Config.Handler
	front.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && refuse.Add(-1) >= 0 {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, "<Error><Code>ExistingObjectIsDirectory</Code><Message>Existing Object is a directory.</Message></Error>")
			return
		}
		pass.ServeHTTP(w, r)
	})
	cfg.Endpoint = front.URL
	s := storageAt(t, cfg)
	refuse.Store(2)
	if err := s.Lock(t.Context(), "some"); err != nil {
		t.Fatal(err)
	}
	if err := s.Unlock(t.Context(), "some"); err != nil {
		t.Error(err)
	}
	refuse.Store(1000)
	quoted := false
	for range 5 { // the time may also end in the middle of a request
		ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
		err := s.Lock(ctx, "some")
		cancel()
		if err == nil {
			t.Fatal("a lock is taken that the server refuses")
		}
		quoted = quoted || errors.Is(err, context.DeadlineExceeded) && strings.Contains(err.Error(), "is a directory")
	}
	if !quoted {
		t.Error("what the server said is never told")
	}
}

func TestPrefixesAreApart(t *testing.T) {
	cfg := s3server.Start(t).Bucket()
	one := storageAt(t, cfg)
	cfg.Prefix = "other"
	two := storageAt(t, cfg)
	if err := one.Store(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	if two.Exists(t.Context(), "k") {
		t.Error("seen below another prefix")
	}
}

func TestServerGone(t *testing.T) {
	server := s3server.Start(t)
	s := storageAt(t, server.Bucket())
	if err := s.Store(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := s.Load(ctx, "k"); fleet.CodeOf(err) != fleet.Unavailable || strings.Contains(err.Error(), "secret") {
		t.Errorf("load: %v", err)
	}
	if err := s.Lock(ctx, "k"); fleet.CodeOf(err) != fleet.Unavailable && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("lock: %v", err)
	}
	server.Start()
	server.Ready()
	if got, err := s.Load(t.Context(), "k"); err != nil || string(got) != "v" {
		t.Errorf("after a restart: %q, %v", got, err)
	}
}

func TestBucketRefused(t *testing.T) {
	cfg := s3server.Start(t).Bucket()
	for name, tc := range map[string]struct {
		change func(*s3.Config)
		code   fleet.Code
	}{
		"wrong secret": {func(c *s3.Config) { c.SecretKey = "wrong!" }, fleet.Forbidden},
		"no bucket":    {func(c *s3.Config) { c.Bucket = "nothing" }, fleet.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			tc.change(&cfg)
			b, err := s3.Open(cfg)
			if err == nil {
				err = b.Check(t.Context())
			}
			if fleet.CodeOf(err) != tc.code || strings.Contains(err.Error(), "wrong!") {
				t.Errorf("%v", err)
			}
		})
	}
}
