package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/proxy/certs"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

// TestAPIOverHTTPS serves the API by the internal authority's certificate, once the port is free.
func TestAPIOverHTTPS(t *testing.T) {
	ca, err := certs.OpenCA(t.Context(), &certmagic.FileStorage{Path: t.TempDir()}, "test CA")
	if err != nil {
		t.Fatal(err)
	}
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := taken.Addr().String()
	server, err := api.New(apifake.New().Options(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	s := &httpsServer{
		api: server, address: address, again: time.Millisecond, log: slog.New(slog.DiscardHandler),
		listen: func(network, address string) (net.Listener, error) {
			return (&net.ListenConfig{}).Listen(t.Context(), network, address)
		},
		settings: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: newOwnCerts(ca, "https://fleet.example:8446", time.Now).get},
	}
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(t.Context()) }()
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.Export())
	for _, name := range []string{"localhost", "127.0.0.1", "fleet.example"} {
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name}, ForceAttemptHTTP2: true,
		}}
		answer := ask(t, client, "https://"+address+"/v1/tenants")
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != 401 || answer.ProtoMajor != 2 || !strings.Contains(string(body), "unauthenticated") {
			t.Errorf("%s: %s %s %v", name, answer.Proto, body, err)
		}
		answer.Body.Close()
		client.CloseIdleConnections()
	}
	if err := server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	<-ended
}

// ask gets an address, again until somebody listens there.
func ask(t *testing.T, client *http.Client, url string) *http.Response {
	t.Helper()
	for {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err == nil {
			return answer
		}
		if _, wrong := errors.AsType[*tls.CertificateVerificationError](err); wrong || t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

func TestInitGivesTheFirstAdminALink(t *testing.T) {
	cfg := config.Default()
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	var first, again, off strings.Builder
	if err := firstAdmin(t.Context(), cfg, &first); err != nil {
		t.Fatal(err)
	}
	if err := firstAdmin(t.Context(), cfg, &again); err != nil {
		t.Fatal(err)
	}
	link := func(text string) string {
		_, after, _ := strings.Cut(text, "https://localhost:8446/welcome#")
		return strings.TrimSpace(after)
	}
	if link(first.String()) == "" || link(again.String()) == "" || link(first.String()) == link(again.String()) {
		t.Errorf("%s\n%s", first.String(), again.String())
	}
	s, err := store.Open(t.Context(), cfg.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	users := accounts.NewService(s, accounts.Options{})
	if _, err := users.UseLink(t.Context(), link(first.String()), "four other words entirely"); err == nil {
		t.Error("the first link is good after the second was made")
	}
	if _, err := users.UseLink(t.Context(), link(again.String()), "four other words entirely"); err != nil {
		t.Error(err)
	}
	opened, err := users.Login(t.Context(), accounts.Login{Name: "admin", Password: "four other words entirely"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := users.BySession(t.Context(), opened.Secret, "192.0.2.7"); err != nil {
		t.Fatal(err)
	}
	if err := firstAdmin(t.Context(), cfg, &off); err != nil || off.String() != "" {
		t.Errorf("once somebody has logged in: %q %v", off.String(), err)
	}
}
