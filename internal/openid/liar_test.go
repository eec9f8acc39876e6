package openid_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/openid"
)

// liar is a provider that says whatever a test wants: the code of its answer is the ID token
// that the code is exchanged for.
type liar struct {
	*httptest.Server
	key  *rsa.PrivateKey
	info map[string]any // what /userinfo says
	long bool           // answers do not end
}

func newLiar(t *testing.T) *liar {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{key: key}
	mux := http.NewServeMux()
	l.Server = httptest.NewTLSServer(mux)
	t.Cleanup(l.Close)
	say := func(path string, what func(r *http.Request) any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(what(r))
			for l.long && path == "/userinfo" && r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 1<<16))
			}
		})
	}
	say("/.well-known/openid-configuration", func(*http.Request) any {
		return map[string]any{
			"issuer": l.URL, "authorization_endpoint": l.URL + "/auth", "token_endpoint": l.URL + "/token", "jwks_uri": l.URL + "/keys",
			"userinfo_endpoint": l.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"none", "HS256", "RS256"},
		}
	})
	say("/keys", func(*http.Request) any {
		return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k", Algorithm: "RS256", Use: "sig"}}}
	})
	say("/token", func(r *http.Request) any {
		return map[string]any{"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": r.FormValue("code")}
	})
	say("/userinfo", func(*http.Request) any { return l.info })
	return l
}

// signed makes an ID token.
func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := token.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// unsigned makes one of the algorithm none.
func unsigned(claims map[string]any) string {
	payload, _ := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
}

func TestLies(t *testing.T) {
	l := newLiar(t)
	roots := x509.NewCertPool()
	roots.AddCert(l.Certificate())
	const secret = "a secret that is long enough to sign with, at 256 bits"
	client := openid.New(openid.Options{
		Issuer: l.URL, ClientID: "lxdfleet", Redirect: redirect, Roots: roots, RoleClaim: "realm_access.roles", TenantsClaim: "tenants",
		Secret: func() (string, error) { return secret, nil },
	})
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&l.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(change func(map[string]any)) func(map[string]any) string {
		return func(claims map[string]any) string { change(claims); return signed(t, jose.RS256, l.key, claims) }
	}
	set := func(name string, value any) func(map[string]any) string {
		return sign(func(c map[string]any) { c[name] = value })
	}
	all := map[string]any{"sub": "17", "email": "x@y.example", "email_verified": "true", "name": "X", "preferred_username": "x"}
	for _, test := range []struct {
		name  string
		token func(claims map[string]any) string
		info  map[string]any
		why   string // empty: it is let in
	}{
		{"the truth", sign(func(map[string]any) {}), all, ""},
		{"several audiences and we are the party", sign(func(c map[string]any) { c["aud"], c["azp"] = []string{"x", "lxdfleet"}, "lxdfleet" }), all, ""},
		{"another nonce", set("nonce", "AAAA"), all, "not for this login"},
		{"no nonce", sign(func(c map[string]any) { delete(c, "nonce") }), all, "not for this login"},
		{"another audience", set("aud", "other"), all, "audience"},
		{"several audiences without a party", set("aud", []string{"x", "lxdfleet"}), all, "another client"},
		{"another party", set("azp", "other"), all, "another client"},
		{"another issuer", set("iss", "https://evil.example"), all, "different provider"},
		{"ended", set("exp", time.Now().Add(-time.Minute).Unix()), all, "expired"},
		{"without an end", sign(func(c map[string]any) { delete(c, "exp") }), all, "expired"},
		{"not yet good", set("nbf", time.Now().Add(time.Hour).Unix()), all, "before the nbf"},
		{"nobody", set("sub", ""), all, "nobody"},
		{"another access token", set("at_hash", "AAAA"), all, "access token"},
		{"algorithm none", unsigned, all, "malformed"},
		{"signed with the client's secret", func(c map[string]any) string { return signed(t, jose.HS256, []byte(secret), c) }, all, "malformed"},
		{"signed with the public key as a secret", func(c map[string]any) string { return signed(t, jose.HS256, public, c) }, all, "malformed"},
		{"signed by a stranger", func(c map[string]any) string { return signed(t, jose.RS256, stranger, c) }, all, "failed to verify"},
		{"no ID token", func(map[string]any) string { return "" }, all, "malformed"},
		{"more of another user", sign(func(map[string]any) {}), map[string]any{"sub": "18", "email": "boss@y.example"}, "another user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l.info = test.info
			address, kept, err := client.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			u, _ := url.Parse(address)
			token := test.token(map[string]any{
				"iss": l.URL, "sub": "17", "aud": "lxdfleet", "nonce": u.Query().Get("nonce"), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
				"realm_access": map[string]any{"roles": []string{"admins"}}, "tenants": "acme,bakery",
			})
			got, err := client.Finish(t.Context(), kept, url.Values{"state": {u.Query().Get("state")}, "code": {token}})
			switch {
			case test.why == "" && (err != nil || got.Subject != "17" || !got.EmailVerified || len(got.Roles) != 1 || len(got.Tenants) != 2):
				t.Errorf("%+v, %v", got, err)
			case test.why != "" && (fleet.CodeOf(err) != fleet.Unauthenticated || !strings.Contains(err.Error(), test.why)):
				t.Errorf("error %v, want one about %q", err, test.why)
			}
		})
	}
	t.Run("claims of the signed token are not replaced", func(t *testing.T) {
		l.info = maps.Clone(all)
		l.info["realm_access"] = map[string]any{"roles": []string{"gods"}}
		got := l.finish(t, client, "17")
		if len(got.Roles) != 1 || got.Roles[0] != "admins" {
			t.Errorf("roles %v", got.Roles)
		}
	})
	t.Run("an answer without an end", func(t *testing.T) {
		l.long = true
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		address, kept, err := client.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(address)
		if _, err = client.Finish(ctx, kept, url.Values{"state": {u.Query().Get("state")}, "code": {l.token(t, u, "17")}}); err == nil || ctx.Err() != nil {
			t.Error("it was read on and on:", err)
		}
	})
}

func (l *liar) token(t *testing.T, asked *url.URL, subject string) string {
	return signed(t, jose.RS256, l.key, map[string]any{
		"iss": l.URL, "sub": subject, "aud": "lxdfleet", "nonce": asked.Query().Get("nonce"), "exp": time.Now().Add(time.Hour).Unix(),
		"realm_access": map[string]any{"roles": []string{"admins"}},
	})
}

func (l *liar) finish(t *testing.T, client *openid.Provider, subject string) fleet.Identity {
	t.Helper()
	address, kept, err := client.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(address)
	got, err := client.Finish(t.Context(), kept, url.Values{"state": {u.Query().Get("state")}, "code": {l.token(t, u, subject)}})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
