package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/openid"
	"github.com/lxdfleet/lxdfleet/internal/openid/openidtest"
)

// desk is an API whose users log in at a real provider, and a browser.
type desk struct {
	*testing.T
	fleet    *apifake.Fleet
	provider *openidtest.Provider
	handler  http.Handler
	cookies  map[string]string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	f := apifake.New()
	o := f.Options(t.TempDir())
	redirect := o.Address + "/v1/login/openid/callback"
	d := &desk{T: t, fleet: f, cookies: map[string]string{}, provider: openidtest.Start(t, redirect,
		openidtest.User{Subject: "17", Username: "carl.there", Email: "carl@acme.example", Verified: true},
		openidtest.User{Subject: "18", Username: "eve", Email: "eve@evil.example"})}
	o.OpenID = openid.New(openid.Options{
		Issuer: d.provider.Issuer, Name: "Agency ID", ClientID: openidtest.ClientID, Redirect: redirect, Roots: d.provider.Roots,
		Secret: func() (string, error) { return openidtest.Secret, nil },
	})
	if _, _, err := f.Accounts.EditUser(t.Context(), "carl", accounts.UserEdit{Subject: new(d.provider.Issuer + " 17")}, 0); err != nil {
		t.Fatal(err)
	}
	s, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	d.handler = s.Handler()
	return d
}

// visit goes to an address of the API with the browser's cookies.
func (d *desk) visit(address string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(d.Context(), "GET", address, nil)
	for name, value := range d.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if d.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(d.cookies, c.Name)
		}
	}
	return w
}

// comesBack goes to the provider, logs in there, and gives the address that leads back.
func (d *desk) comesBack(username string) string {
	d.Helper()
	w := d.visit("/v1/login/openid")
	if w.Code != 303 || !strings.HasPrefix(w.Header().Get("Location"), d.provider.Issuer+"/") {
		d.Fatal(w.Code, w.Header())
	}
	return d.provider.Login(d, w.Header().Get("Location"), username).RequestURI()
}

func (d *desk) leads(address, to string) {
	d.Helper()
	if w := d.visit(address); w.Code != 303 || w.Header().Get("Location") != to {
		d.Errorf("%d to %q, want %q", w.Code, w.Header().Get("Location"), to)
	}
}

func (d *desk) session() (int, string) {
	w := d.visit("/v1/session")
	return w.Code, w.Body.String()
}

func TestLoginAtAProvider(t *testing.T) {
	d := newDesk(t)
	if w := d.visit("/v1/login"); !strings.Contains(w.Body.String(), `"openid":{"address":"https://fleet.example:8446/v1/login/openid","name":"Agency ID"}`) {
		t.Error(w.Body)
	}
	d.cookies["__Host-lxdfleet"] = "planted" // before the login, by somebody else
	back := d.comesBack("carl.there")
	w := d.visit(back)
	if w.Code != 303 || w.Header().Get("Location") != "/ui/" || w.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Fatal(w.Code, w.Header())
	}
	for _, c := range w.Result().Cookies() {
		if !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") || c.Name == "__Host-lxdfleet" && c.SameSite != http.SameSiteStrictMode {
			t.Errorf("cookie %+v", c)
		}
	}
	if d.cookies["__Host-lxdfleet"] == "planted" || d.cookies["__Host-lxdfleet-login"] != "" {
		t.Errorf("cookies afterwards: %v", d.cookies)
	}
	if code, body := d.session(); code != 200 || !strings.Contains(body, `"user":"carl"`) || !strings.Contains(body, `"role":"client"`) {
		t.Error(code, body)
	}
	log, err := d.fleet.Accounts.Audit(t.Context(), fleet.Caller{}, fleet.AuditFilter{Operation: "finishOpenID"})
	if err != nil || len(log) != 1 || log[0].User != "carl" || log[0].Status != 200 || log[0].Address != "192.0.2.1" {
		t.Errorf("%+v, %v", log, err)
	}
	stranger := &desk{T: t, handler: d.handler, cookies: map[string]string{}}
	stranger.cookies["__Host-lxdfleet"] = "planted"
	if code, body := stranger.session(); code != 401 {
		t.Errorf("the session that was planted is good: %d %s", code, body)
	}
}

func TestForgedLoginsAtAProvider(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(d *desk) (back string)
		to   string
	}{
		{"somebody whom nobody knows here", func(d *desk) string { return d.comesBack("eve") }, "/ui/?login=refused"},
		{"an answer for another browser", func(d *desk) string {
			back := d.comesBack("carl.there")
			clear(d.cookies)
			return back
		}, "/ui/?login=failed"},
		{"an answer that somebody else plants", func(d *desk) string {
			back := d.comesBack("eve") // the attacker's own, with his code
			clear(d.cookies)
			d.visit("/v1/login/openid") // the victim's login on its way
			return back
		}, "/ui/?login=failed"},
		{"an answer that comes twice", func(d *desk) string {
			back := d.comesBack("carl.there")
			d.leads(back, "/ui/")
			delete(d.cookies, "__Host-lxdfleet")
			return back
		}, "/ui/?login=failed"},
		{"a code that comes twice, with its cookie", func(d *desk) string {
			back := d.comesBack("carl.there")
			kept := d.cookies["__Host-lxdfleet-login"]
			d.leads(back, "/ui/")
			clear(d.cookies)
			d.cookies["__Host-lxdfleet-login"] = kept
			return back
		}, "/ui/?login=failed"},
		{"another state", func(d *desk) string { return strings.Replace(d.comesBack("carl.there"), "state=", "state=x", 1) }, "/ui/?login=failed"},
		{"a cookie that is none", func(d *desk) string {
			back := d.comesBack("carl.there")
			d.cookies["__Host-lxdfleet-login"] = "1.2.3"
			return back
		}, "/ui/?login=failed"},
		{"nothing at all", func(*desk) string { return "/v1/login/openid/callback" }, "/ui/?login=failed"},
		{"markup", func(*desk) string {
			return "/v1/login/openid/callback?error=<script>alert(1)</script>&error_description=https://evil.example"
		}, "/ui/?login=failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDesk(t)
			d.leads(test.do(d), test.to)
			if code, body := d.session(); code != 401 {
				t.Errorf("somebody is in: %d %s", code, body)
			}
		})
	}
}

func TestProviderThatIsAway(t *testing.T) {
	d := newDesk(t)
	d.provider.Away(true)
	d.leads("/v1/login/openid", "/ui/?login=unavailable")
	if w := d.visit("/v1/login"); w.Code != 200 {
		t.Error("nobody can log in with a password either:", w.Code)
	}
	for range 5 {
		d.leads("/v1/login/openid/callback?code=x&state=y", "/ui/?login=failed")
	}
	d.leads("/v1/login/openid/callback?code=x&state=y", "/ui/?login=wait")
}

func TestWithoutAProvider(t *testing.T) {
	f := apifake.New()
	o := f.Options(t.TempDir())
	o.OpenID = nil
	s, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{T: t, handler: s.Handler()}
	if w := d.visit("/v1/login"); w.Code != 200 || strings.TrimSpace(w.Body.String()) != "{}" {
		t.Error(w.Code, w.Body)
	}
	for _, address := range []string{"/v1/login/openid", "/v1/login/openid/callback?code=x"} {
		if w := d.visit(address); w.Code != 404 {
			t.Error(address, w.Code, w.Body)
		}
	}
}
