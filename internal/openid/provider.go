package openid

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Options say which provider, and who we are there. Issuer, ClientID and Redirect are required.
type Options struct {
	Issuer   string // its address, exactly as it writes it itself
	Name     string // for people: "Sign in with NAME"
	ClientID string
	// Secret gives the client's secret at each login, so that it may be replaced; nil: there is
	// none, and PKCE alone proves who we are.
	Secret   func() (string, error)
	Redirect string   // where the provider sends people back to
	Scopes   []string // openid is always one of them
	// RoleClaim and TenantsClaim are names of claims, or paths with dots; empty: not read.
	RoleClaim, TenantsClaim string
	Roots                   *x509.CertPool   // nil: the system's
	Now                     func() time.Time // nil: time.Now
}

// Provider logs people in. Use New.
type Provider struct {
	o    Options
	http *http.Client

	mu    sync.Mutex
	known *oidc.Provider // nil: not asked yet
	until time.Time      // when known is asked for again
	fault error          // why it could not be asked lately
	again time.Time      // when it is tried again
}

const (
	// knownFor is how long the provider's own description is taken as it was read.
	knownFor = 12 * time.Hour
	// restFor is how long a provider that did not answer is not asked, so that logins do not
	// pile up behind it.
	restFor = 3 * time.Second
)

// New makes a Provider. Nothing is asked of it before the first login.
func New(o Options) *Provider {
	if o.Now == nil {
		o.Now = time.Now
	}
	if !slices.Contains(o.Scopes, oidc.ScopeOpenID) {
		o.Scopes = append([]string{oidc.ScopeOpenID}, o.Scopes...)
	}
	o.Name = cmp.Or(o.Name, hostOf(o.Issuer))
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12}
	return &Provider{o: o, http: &http.Client{
		Transport: bounded{transport}, Timeout: 10 * time.Second,
		// What is sent to it, secrets too, goes nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Hostname()
}

// Name is what people call the provider.
func (p *Provider) Name() string { return p.o.Name }

// Check asks the provider for its description. fleet.Unavailable, or fleet.Invalid where it says that it is another.
func (p *Provider) Check(ctx context.Context) error {
	_, err := p.discover(ctx)
	return err
}

// Begin gives the address at the provider where somebody logs in, and what the browser has to
// keep, and show to Finish. fleet.Unavailable where the provider does not answer.
func (p *Provider) Begin(ctx context.Context) (address, kept string, err error) {
	known, err := p.discover(ctx)
	if err != nil {
		return "", "", err
	}
	t := newTrip(p.o.Now())
	flow, err := p.flow(known)
	if err != nil {
		return "", "", err
	}
	return flow.AuthCodeURL(t.state(), oidc.Nonce(t.nonce()), oauth2.S256ChallengeOption(t.verifier())), t.String(), nil
}

// Finish tells who came back from the provider with answer, the query of the address that it sent
// the browser to; kept is what the browser was given by Begin. fleet.Unauthenticated where anything of
// it is not as it must be, fleet.Unavailable where the provider does not answer.
func (p *Provider) Finish(ctx context.Context, kept string, answer url.Values) (fleet.Identity, error) {
	t, err := parseTrip(kept, p.o.Now())
	if err != nil {
		return fleet.Identity{}, err
	}
	if !hmac.Equal([]byte(answer.Get("state")), []byte(t.state())) {
		return fleet.Identity{}, refused("the answer is not to the login that this browser began")
	}
	if iss := answer.Get("iss"); iss != "" && iss != p.o.Issuer {
		return fleet.Identity{}, refused("the answer is of another provider, %q", iss)
	}
	if reason := answer.Get("error"); reason != "" {
		return fleet.Identity{}, refused("the provider says %q: %q", reason, answer.Get("error_description"))
	}
	known, err := p.discover(ctx)
	if err != nil {
		return fleet.Identity{}, err
	}
	flow, err := p.flow(known)
	if err != nil {
		return fleet.Identity{}, err
	}
	ctx = oidc.ClientContext(ctx, p.http)
	tokens, err := flow.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(t.verifier()))
	if err != nil {
		return fleet.Identity{}, unexchanged(err)
	}
	return p.identity(ctx, known, tokens, t)
}

// identity checks the ID token, and asks for the claims that it lacks.
func (p *Provider) identity(ctx context.Context, known *oidc.Provider, tokens *oauth2.Token, t trip) (fleet.Identity, error) {
	raw, _ := tokens.Extra("id_token").(string)
	token, err := known.Verifier(&oidc.Config{ClientID: p.o.ClientID, Now: p.o.Now}).Verify(ctx, raw)
	if err != nil {
		return fleet.Identity{}, refused("the ID token is not good: %w", err)
	}
	said, err := readClaims(token)
	if err != nil {
		return fleet.Identity{}, refused("the ID token is not good: %w", err)
	}
	party := said.text("azp")
	switch {
	case !hmac.Equal([]byte(token.Nonce), []byte(t.nonce())):
		return fleet.Identity{}, refused("the ID token is not for this login")
	case party != "" && party != p.o.ClientID || party == "" && len(token.Audience) > 1:
		return fleet.Identity{}, refused("the ID token was made for another client, %q", party)
	case token.Subject == "":
		return fleet.Identity{}, refused("the ID token says of nobody")
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(tokens.AccessToken); err != nil {
			return fleet.Identity{}, refused("the access token is not the ID token's: %w", err)
		}
	}
	if known.UserInfoEndpoint() != "" && said.lacks("email", "email_verified", "name", "preferred_username", p.o.RoleClaim, p.o.TenantsClaim) {
		more, err := p.more(ctx, known, tokens, token.Subject)
		if err != nil {
			return fleet.Identity{}, err
		}
		said.fill(more)
	}
	return said.identity(p.o, token.Subject), nil
}

// more asks the provider for claims that are not in the ID token.
func (p *Provider) more(ctx context.Context, known *oidc.Provider, tokens *oauth2.Token, subject string) (claims, error) {
	info, err := known.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return nil, fleet.Errorf(fleet.Unavailable, "the provider does not tell more of the user: %w", err).WithHint("try again")
	}
	if info.Subject != subject {
		return nil, refused("the provider tells of another user than the one that logged in")
	}
	return readClaims(info)
}

func unexchanged(err error) error {
	if _, answered := errors.AsType[*oauth2.RetrieveError](err); answered {
		return refused("the provider does not take the code: %w", err)
	}
	return away(err)
}

func away(err error) error {
	return fleet.Errorf(fleet.Unavailable, "the OpenID provider does not answer: %w", err).WithHint("try again, or log in with name and password")
}

// flow is what is said to the provider.
func (p *Provider) flow(known *oidc.Provider) (*oauth2.Config, error) {
	flow := &oauth2.Config{ClientID: p.o.ClientID, Endpoint: known.Endpoint(), RedirectURL: p.o.Redirect, Scopes: p.o.Scopes}
	if p.o.Secret == nil {
		return flow, nil
	}
	var err error
	if flow.ClientSecret, err = p.o.Secret(); err != nil {
		return nil, fleet.Errorf(fleet.Unavailable, "the client's secret cannot be read: %w", err).WithField("api.oidc.client_secret_file").
			WithHint("an admin can see why in the daemon's log")
	}
	return flow, nil
}

// discover gives the provider's description.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	now := p.o.Now()
	p.mu.Lock()
	known, until, fault, again := p.known, p.until, p.fault, p.again
	p.mu.Unlock()
	switch {
	case known != nil && now.Before(until):
		return known, nil
	case fault != nil && now.Before(again):
		return nil, fault
	}
	fresh, err := oidc.NewProvider(oidc.ClientContext(ctx, p.http), p.o.Issuer)
	if err != nil {
		err = p.undiscovered(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.fault, p.again = err, now.Add(restFor)
		return nil, err
	}
	p.known, p.until, p.fault = fresh, now.Add(knownFor), nil
	return fresh, nil
}

func (p *Provider) undiscovered(err error) error {
	if other, ok := errors.AsType[*oidc.IssuerMismatchError](err); ok {
		return fleet.Errorf(fleet.Invalid, "the provider at %s calls itself %s", p.o.Issuer, other.Discovered).WithField("api.oidc.issuer").
			WithHint("set api.oidc.issuer to exactly what it calls itself")
	}
	return away(err)
}
