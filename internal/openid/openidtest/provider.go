// Package openidtest is a whole OpenID provider in the test's process: a certified library with
// its own login page, over TLS, with users of its own.
package openidtest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"sync"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	// ClientID and Secret are what the provider knows its client by.
	ClientID = "lxdfleet"
	Secret   = "a secret of the client"
	// PublicID is a client without a secret, which PKCE alone protects.
	PublicID = "lxdfleet-public"
	// Password is that of every user.
	Password = "only the provider knows it"
)

// User is somebody whom the provider knows. Groups and Tenants are claims of these names.
type User struct {
	Subject, Username, Email, FirstName string
	Verified                            bool // the address
	Groups, Tenants                     []string
}

// Provider answers at Issuer.
type Provider struct {
	Issuer string
	Roots  *x509.CertPool // what its certificate comes from
	server *httptest.Server

	mu    sync.Mutex
	users map[string]User // by subject
	key   key
	turns int // how often the key was changed
	away  bool
}

// Start starts a provider that sends people back to redirect, and runs until the test ends.
func Start(t testing.TB, redirect string, users ...User) *Provider {
	t.Helper()
	p := Open(redirect, users...)
	t.Cleanup(p.Close)
	return p
}

// Open is Start without a test: it runs until Close.
func Open(redirect string, users ...User) *Provider {
	p := &Provider{users: map[string]User{}}
	for _, u := range users {
		p.users[u.Subject] = u
	}
	p.server = httptest.NewUnstartedServer(nil)
	p.Issuer = "https://" + p.server.Listener.Addr().String()
	kept := &kept{p: p, Storage: storage.NewStorageWithClients(people{p}, map[string]*storage.Client{
		ClientID: storage.WebClient(ClientID, Secret, redirect), PublicID: storage.NativeClient(PublicID, redirect),
	})}
	p.Rotate()
	handler := exampleop.SetupServer(p.Issuer, kept, slog.New(slog.DiscardHandler), false)
	p.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.isAway() {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		handler.ServeHTTP(w, r)
	})
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.server.StartTLS()
	p.Roots = x509.NewCertPool()
	p.Roots.AddCert(p.server.Certificate())
	return p
}

// Close ends it.
func (p *Provider) Close() { p.server.Close() }

// Certificate is the provider's own, in DER form.
func (p *Provider) Certificate() []byte { return p.server.Certificate().Raw }

// Set adds a user or changes it.
func (p *Provider) Set(u User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[u.Subject] = u
}

// Away makes the provider answer nothing but errors, or end that.
func (p *Provider) Away(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
}

func (p *Provider) isAway() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.away
}

// Rotate signs with another key from now on, and forgets the one before.
func (p *Provider) Rotate() {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // it never fails
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turns++
	p.key = key{"key" + strconv.Itoa(p.turns), private}
}

var requestID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// Login goes with a browser to the address, logs in there, and gives the address that the provider
// sends the browser back to, without going there.
func (p *Provider) Login(t testing.TB, address, username string) *url.URL {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: p.server.Client().Transport}
	browser.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != p.server.Listener.Addr().String() {
			return http.ErrUseLastResponse
		}
		return nil
	}
	page := get(t, browser, http.MethodGet, address, nil)
	body, err := io.ReadAll(page.Body)
	page.Body.Close()
	found := requestID.FindSubmatch(body)
	if err != nil || found == nil {
		t.Fatalf("the provider shows no login page: %s %s", page.Status, body)
	}
	back := get(t, browser, http.MethodPost, p.Issuer+"/login/username", url.Values{"username": {username}, "password": {Password}, "id": {string(found[1])}})
	back.Body.Close()
	to, err := back.Location()
	if err != nil {
		t.Fatalf("the provider does not send %s back: %s", username, back.Status)
	}
	return to
}

func get(t testing.TB, browser *http.Client, method, address string, form url.Values) *http.Response {
	t.Helper()
	var answer *http.Response
	var err error
	if method == http.MethodPost {
		answer, err = browser.PostForm(address, form)
	} else {
		answer, err = browser.Get(address)
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// people are the users as the provider's library asks for them.
type people struct{ p *Provider }

func (s people) ExampleClientID() string { return "service" }

func (s people) GetUserByID(id string) *storage.User {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	u, ok := s.p.users[id]
	if !ok {
		return nil
	}
	return &storage.User{ID: u.Subject, Username: u.Username, Password: Password, FirstName: u.FirstName, LastName: "Example", Email: u.Email, EmailVerified: u.Verified}
}

func (s people) GetUserByUsername(name string) *storage.User {
	s.p.mu.Lock()
	var subject string
	for _, u := range s.p.users {
		if u.Username == name {
			subject = u.Subject
		}
	}
	s.p.mu.Unlock()
	return s.GetUserByID(subject)
}

// kept is the library's storage in memory, with claims and keys of our own.
type kept struct {
	*storage.Storage
	p *Provider
}

func (k *kept) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	err := k.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin)
	k.p.mu.Lock()
	defer k.p.mu.Unlock()
	u := k.p.users[subject]
	info.AppendClaims("groups", u.Groups)
	info.AppendClaims("tenants", u.Tenants)
	return err
}

func (k *kept) SigningKey(context.Context) (op.SigningKey, error) {
	k.p.mu.Lock()
	defer k.p.mu.Unlock()
	return signing{k.p.key}, nil
}

func (k *kept) KeySet(context.Context) ([]op.Key, error) {
	k.p.mu.Lock()
	defer k.p.mu.Unlock()
	return []op.Key{public{k.p.key}}, nil
}

type key struct {
	id      string
	private *rsa.PrivateKey
}

func (k key) ID() string { return k.id }

type signing struct{ key }

func (s signing) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (s signing) Key() any                                    { return s.private }

type public struct{ key }

func (s public) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (s public) Use() string                        { return "sig" }
func (s public) Key() any                           { return &s.private.PublicKey }
