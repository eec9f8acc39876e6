package openid_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/openid"
	"github.com/lxdfleet/lxdfleet/internal/openid/openidtest"
)

const redirect = "https://fleet.example:8446/v1/login/oidc/callback"

var ada = openidtest.User{
	Subject: "17", Username: "ada", Email: "ada@agency.example", Verified: true, FirstName: "Ada",
	Groups: []string{"staff", "fleet-admins"}, Tenants: []string{"acme"},
}

type scene struct {
	*testing.T
	provider *openidtest.Provider
	client   *openid.Provider
	now      time.Time
}

func newScene(t *testing.T, change func(*openid.Options)) *scene {
	t.Helper()
	s := &scene{T: t, provider: openidtest.Start(t, redirect, ada), now: time.Now()}
	o := openid.Options{
		Issuer: s.provider.Issuer, ClientID: openidtest.ClientID, Redirect: redirect, Roots: s.provider.Roots,
		Secret: func() (string, error) { return openidtest.Secret, nil },
		Scopes: []string{"profile", "email"}, RoleClaim: "groups", TenantsClaim: "tenants",
		Now: func() time.Time { return s.now },
	}
	if change != nil {
		change(&o)
	}
	s.client = openid.New(o)
	return s
}

// begin begins a login, and goes through it at the provider.
func (s *scene) begin() (kept string, answer url.Values) {
	s.Helper()
	address, kept, err := s.client.Begin(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	return kept, s.provider.Login(s, address, "ada").Query()
}

func (s *scene) refused(kept string, answer url.Values, why string) {
	s.Helper()
	_, err := s.client.Finish(s.Context(), kept, answer)
	if fleet.CodeOf(err) != fleet.Unauthenticated || !strings.Contains(err.Error(), why) {
		s.Errorf("error %v, want one about %q", err, why)
	}
}

func TestLogin(t *testing.T) {
	s := newScene(t, nil)
	address, kept, err := s.client.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	asked := u.Query()
	for name, want := range map[string]string{
		"client_id": openidtest.ClientID, "redirect_uri": redirect, "response_type": "code", "code_challenge_method": "S256", "scope": "openid profile email",
	} {
		if asked.Get(name) != want {
			t.Errorf("%s=%q is asked, want %q", name, asked.Get(name), want)
		}
	}
	secret := strings.SplitN(kept, ".", 2)[1]
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if value := asked.Get(name); len(value) != 43 || strings.Contains(address, secret) {
			t.Errorf("%s=%q", name, value)
		}
	}
	got, err := s.client.Finish(t.Context(), kept, s.provider.Login(t, address, "ada").Query())
	if err != nil {
		t.Fatal(err)
	}
	want := fleet.Identity{
		Issuer: s.provider.Issuer, Subject: "17", Email: "ada@agency.example", EmailVerified: true, Username: "ada", Name: "Ada Example",
		Roles: ada.Groups, Tenants: ada.Tenants,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if again, _ := s.begin(); again == kept {
		t.Error("two logins are kept by the same text")
	}
}

func TestAnswersThatAreNotOurs(t *testing.T) {
	s := newScene(t, nil)
	kept, answer := s.begin()
	other, _, err := s.client.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	foreign, otherAnswer := s.begin()
	with := func(name, value string) url.Values {
		changed := url.Values{}
		for k, v := range answer {
			changed[k] = slices.Clone(v)
		}
		changed.Set(name, value)
		return changed
	}
	for _, test := range []struct {
		name, kept string
		answer     url.Values
		why        string
	}{
		{"another state", kept, with("state", "AAAA"), "not to the login that this browser began"},
		{"no state", kept, with("state", ""), "not to the login that this browser began"},
		{"in another browser", foreign, answer, "not to the login that this browser began"},
		{"in a browser without a cookie", "", answer, "begun no login"},
		{"with something else as a cookie", other, answer, "begun no login"},
		{"with the time of the cookie changed", kept[:9] + string('0'+'9'-rune(kept[9])) + kept[10:], answer, ""},
		{"of another provider", kept, with("iss", "https://evil.example"), "another provider"},
		{"refused there", kept, with("error", "access_denied"), "access_denied"},
		{"with another login's code", kept, with("code", otherAnswer.Get("code")), "not for this login"},
		{"with a code that is none", kept, with("code", "x"), "does not take the code"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.T = t
			s.refused(test.kept, test.answer, test.why)
		})
	}
	s.T = t
	if _, err := s.client.Finish(t.Context(), kept, answer); err != nil {
		t.Error("the true answer is refused after all that:", err)
	}
	s.refused(kept, answer, "does not take the code") // replayed
}

// A code that somebody took from another login is bound to that one's PKCE verifier, which
// is all there is where the client has no secret.
func TestCodesAreBoundToTheirLogin(t *testing.T) {
	s := newScene(t, func(o *openid.Options) { o.ClientID, o.Secret = openidtest.PublicID, nil })
	kept, answer := s.begin()
	stolenFrom, stolen := s.begin()
	true1 := answer.Get("code")
	answer.Set("code", stolen.Get("code"))
	s.refused(kept, answer, "does not take the code")
	answer.Set("code", true1)
	for kept, answer := range map[string]url.Values{kept: answer, stolenFrom: stolen} {
		if _, err := s.client.Finish(t.Context(), kept, answer); err != nil {
			t.Error(err)
		}
	}
}

func TestLoginsEnd(t *testing.T) {
	s := newScene(t, nil)
	kept, answer := s.begin()
	s.now = s.now.Add(11 * time.Minute)
	s.refused(kept, answer, "took longer")
	kept, answer = s.begin() // its ID token, of the provider's clock, is good for an hour
	s.now = s.now.Add(-11 * time.Minute)
	s.refused(kept, answer, "took longer")
}

func TestKeysAreChanged(t *testing.T) {
	s := newScene(t, nil)
	for range 3 {
		kept, answer := s.begin()
		if _, err := s.client.Finish(t.Context(), kept, answer); err != nil {
			t.Fatal(err)
		}
		s.provider.Rotate()
	}
}

func TestProviderIsAway(t *testing.T) {
	s := newScene(t, nil)
	s.provider.Away(true)
	for range 2 { // the second time it is not even asked
		if _, _, err := s.client.Begin(t.Context()); fleet.CodeOf(err) != fleet.Unavailable {
			t.Fatal(err)
		}
	}
	s.provider.Away(false)
	s.now = s.now.Add(4 * time.Second)
	kept, answer := s.begin()
	s.provider.Away(true)
	if _, err := s.client.Finish(t.Context(), kept, answer); err == nil {
		t.Error("a login is finished without the provider")
	}
}

func TestWrongSettings(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*openid.Options)
		code   fleet.Code
	}{
		{"a wrong secret", func(o *openid.Options) { o.Secret = func() (string, error) { return "wrong", nil } }, fleet.Unauthenticated},
		{"no secret", func(o *openid.Options) { o.Secret = nil }, fleet.Unauthenticated},
		{"a secret that cannot be read", func(o *openid.Options) {
			o.Secret = func() (string, error) { return "", fleet.Errorf(fleet.NotFound, "no file") }
		}, fleet.Unavailable},
		{"an authority that is not trusted", func(o *openid.Options) { o.Roots = nil }, fleet.Unavailable},
		{"an issuer that is written otherwise", func(o *openid.Options) { o.Issuer += "/" }, fleet.Invalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, test.change)
			address, kept, err := s.client.Begin(t.Context())
			if err == nil {
				_, err = s.client.Finish(t.Context(), kept, s.provider.Login(t, address, "ada").Query())
			}
			if fleet.CodeOf(err) != test.code {
				t.Errorf("error %v, want %s", err, test.code)
			}
		})
	}
}
