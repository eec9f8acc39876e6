package accounts

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

const good = "correct horse battery staple"

// place is a Service on a real database, with a clock of its own and cheap hashes.
type place struct {
	*Service
	t   *testing.T
	now time.Time
	// compared counts the passwords that were compared with a hash.
	compared int
}

func newPlace(t *testing.T) *place {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "accounts.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	p := &place{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	p.Service = NewService(s, Options{Hash: counted{NewArgon2id(8*fleet.KiB, 1, 1), p}, Now: func() time.Time { return p.now }})
	return p
}

type counted struct {
	Hashing
	p *place
}

func (c counted) Matches(password, hash string) (bool, error) {
	c.p.compared++
	return c.Hashing.Matches(password, hash)
}

// user makes a user with the good password.
func (p *place) user(name string, role fleet.Role, tenants ...fleet.Name) fleet.User {
	p.t.Helper()
	if _, err := p.CreateUser(p.t.Context(), fleet.User{Name: name, Role: role, Tenants: tenants}, ""); err != nil {
		p.t.Fatal(err)
	}
	return p.usesLink(name)
}

func (p *place) usesLink(name string) fleet.User {
	p.t.Helper()
	link, _, err := p.Link(p.t.Context(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	u, err := p.UseLink(p.t.Context(), link, good)
	if err != nil {
		p.t.Fatal(err)
	}
	return u
}

func (p *place) login(name, password, code string) (Opened, error) {
	return p.Login(p.t.Context(), Login{Name: name, Password: password, Code: code, Address: "192.0.2.1", UserAgent: "lynx"})
}

func (p *place) in(name string) Opened {
	p.t.Helper()
	o, err := p.login(name, good, "")
	if err != nil {
		p.t.Fatal(err)
	}
	return o
}

func (p *place) caller(o Opened) fleet.Caller {
	p.t.Helper()
	c, err := p.BySession(p.t.Context(), o.Secret, "192.0.2.1")
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func code(t *testing.T, err error, want fleet.Code) {
	t.Helper()
	if fleet.CodeOf(err) != want {
		t.Fatalf("error %v, want code %q", err, want)
	}
}

func TestLogin(t *testing.T) {
	p := newPlace(t)
	p.user("ada", fleet.RoleAdmin)
	p.user("dora", fleet.RoleViewer)
	if _, _, err := p.EditUser(t.Context(), "dora", UserEdit{Disabled: new(true)}, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := p.CreateUser(t.Context(), fleet.User{Name: "new", Role: fleet.RoleViewer}, ""); err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, try := range [][2]string{
		{"ada", "wrong horse battery"},
		{"nobody", good},
		{"dora", good},
		{"new", good},
		{"new", ""},
		{"ada", strings.Repeat("x", 10_000)},
		{"<script>", good},
	} {
		before := p.compared
		_, err := p.login(try[0], try[1], "")
		code(t, err, fleet.Unauthenticated)
		told[err.Error()] = true
		if p.compared != before+1 {
			t.Errorf("%s: %d passwords compared: the time tells what was wrong", try[0], p.compared-before)
		}
		p.throttle.good("address 192.0.2.1")
	}
	if len(told) != 1 {
		t.Errorf("the answer tells what was wrong: %v", told)
	}
	o, err := p.login(" ADA ", good, "")
	code(t, err, "")
	if c := p.caller(o); c.User != "ada" || c.Role != fleet.RoleAdmin || c.Kind != fleet.CallerSession || !c.Sees("acme") {
		t.Errorf("caller %+v", c)
	}
	if again := p.in("ada"); again.Secret == o.Secret || again.Session.ID == o.Session.ID {
		t.Error("two logins share a session")
	}
}

// Nobody guesses fast, not with many at once either, and not from one address over many users.
func TestThrottle(t *testing.T) {
	p := newPlace(t)
	p.user("ada", fleet.RoleAdmin)
	for range freeTries {
		_, err := p.login("ada", "wrong horse battery", "")
		code(t, err, fleet.Unauthenticated)
	}
	_, err := p.login("ada", good, "")
	wait, ok := errors.AsType[*WaitError](err)
	if !ok || wait.Wait != time.Second || fleet.CodeOf(err) != fleet.Exhausted {
		t.Fatalf("not slowed down: %v", err)
	}
	p.now = p.now.Add(time.Second)
	_, err = p.login("ada", "wrong horse battery", "")
	code(t, err, fleet.Unauthenticated)
	p.now = p.now.Add(time.Second)
	_, err = p.login("ada", good, "")
	code(t, err, fleet.Exhausted) // the second wait is longer
	p.now = p.now.Add(time.Second)
	p.in("ada")

	// The address is still slow, for any user.
	for i := range freeTries {
		_, err := p.login("nobody"+string(rune('a'+i)), good, "")
		if err == nil {
			t.Fatal("let in")
		}
	}
	_, err = p.login("someone", good, "")
	code(t, err, fleet.Exhausted)
	p.now = p.now.Add(2 * forgetAfter)
	p.in("ada")
}

func TestThrottleIsBounded(t *testing.T) {
	th, now := newThrottle(), time.Now()
	for i := range mostKeys + 1000 {
		_ = th.begin(now, "user "+string(rune(i)))
	}
	if len(th.keys) > mostKeys {
		t.Errorf("%d keys are kept", len(th.keys))
	}
}

func TestTOTP(t *testing.T) {
	p := newPlace(t)
	p.user("ada", fleet.RoleAdmin)
	c := p.caller(p.in("ada"))
	secret, address, err := p.PlanTOTP(c)
	if err != nil || !strings.HasPrefix(address, "otpauth://totp/lxdfleet:ada?") {
		t.Fatalf("%q, %v", address, err)
	}
	now := func() string {
		digits, err := totp.GenerateCode(secret, p.now)
		if err != nil {
			t.Fatal(err)
		}
		return digits
	}
	code(t, p.SetTOTP(t.Context(), c, "wrong horse battery", secret, now()), fleet.Forbidden)
	code(t, p.SetTOTP(t.Context(), c, good, secret, "000000"), fleet.Invalid)
	code(t, p.SetTOTP(t.Context(), c, good, secret, now()), "")
	_, err = p.BySession(t.Context(), "any", "")
	code(t, err, fleet.Unauthenticated)

	_, err = p.login("ada", good, now())
	code(t, err, fleet.Unauthenticated) // the code that set it up is used
	p.now = p.now.Add(totpStep)
	_, err = p.login("ada", good, "")
	code(t, err, fleet.Invalid)
	if e, _ := errors.AsType[*fleet.Error](err); e.Field != "code" {
		t.Errorf("field %q", e.Field)
	}
	_, err = p.login("ada", "wrong horse battery", "")
	code(t, err, fleet.Unauthenticated) // and not that a code is needed
	o, err := p.login("ada", good, now())
	code(t, err, "")
	_, err = p.login("ada", good, now())
	code(t, err, fleet.Unauthenticated) // no code twice
	p.now = p.now.Add(10 * totpStep)
	_, err = p.login("ada", good, now())
	code(t, err, "")
	c = p.caller(o)
	p.now = p.now.Add(totpStep)
	code(t, p.DropTOTP(t.Context(), c, "wrong horse battery"), fleet.Forbidden)
	code(t, p.DropTOTP(t.Context(), c, good), "")
	p.in("ada")
}

func TestSessions(t *testing.T) {
	p := newPlace(t)
	p.user("ada", fleet.RoleAdmin)
	p.user("ben", fleet.RoleOperator)
	o := p.in("ben")
	p.now = p.now.Add(11 * time.Hour)
	p.caller(o) // goes on
	p.now = p.now.Add(11 * time.Hour)
	p.caller(o)
	p.now = p.now.Add(13 * time.Hour)
	_, err := p.BySession(t.Context(), o.Secret, "")
	code(t, err, fleet.Unauthenticated)

	o = p.in("ben")
	for range 30 * 24 / 11 {
		p.now = p.now.Add(11 * time.Hour)
		p.caller(o)
	}
	p.now = p.now.Add(6 * time.Hour) // used all the time, but a month old
	_, err = p.BySession(t.Context(), o.Secret, "")
	code(t, err, fleet.Unauthenticated)

	for name, end := range map[string]func(o Opened) error{
		"logout": func(o Opened) error { return p.Logout(t.Context(), p.caller(o)) },
		"revoked": func(o Opened) error {
			list, err := p.Sessions(t.Context(), "ben")
			if err != nil || len(list) != 1 {
				return errors.Join(err, errors.New("one session"))
			}
			return p.EndSession(t.Context(), "ben", list[0].ID)
		},
		"password": func(o Opened) error {
			return p.ChangePassword(t.Context(), p.caller(o), good, good)
		},
		"less power": func(Opened) error {
			_, _, err := p.EditUser(t.Context(), "ben", UserEdit{Role: new(fleet.RoleViewer)}, 0)
			return errors.Join(err, func() error {
				_, _, err := p.EditUser(t.Context(), "ben", UserEdit{Role: new(fleet.RoleOperator)}, 0)
				return err
			}())
		},
		"another": func(o Opened) error {
			_, err := p.Renew(t.Context(), p.caller(o), Login{})
			list, _ := p.Sessions(t.Context(), "ben")
			for _, s := range list {
				_ = p.EndSession(t.Context(), "ben", s.ID)
			}
			return err
		},
	} {
		o := p.in("ben")
		if err := end(o); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := p.BySession(t.Context(), o.Secret, ""); fleet.CodeOf(err) != fleet.Unauthenticated {
			t.Errorf("%s: the session goes on: %v", name, err)
		}
	}
	if _, _, err := p.EditUser(t.Context(), "ben", UserEdit{Disabled: new(true)}, 0); err != nil {
		t.Fatal(err)
	}
	_, err = p.login("ben", good, "")
	code(t, err, fleet.Unauthenticated)
}

func TestCSRF(t *testing.T) {
	one, two := newSecret(), newSecret()
	if !CheckCSRF(one, CSRF(one)) || CheckCSRF(one, CSRF(two)) || CheckCSRF(one, "") || CheckCSRF(one, one) {
		t.Error("CSRF values do not follow from the session alone")
	}
}

func TestLinks(t *testing.T) {
	p := newPlace(t)
	link, err := p.FirstAdmin(t.Context(), "admin")
	if err != nil || link == "" {
		t.Fatalf("%q, %v", link, err)
	}
	again, err := p.FirstAdmin(t.Context(), "admin") // init is run twice
	if err != nil || again == "" || again == link {
		t.Fatalf("%q, %v", again, err)
	}
	_, err = p.LinkUser(t.Context(), link)
	code(t, err, fleet.Unauthenticated)
	u, err := p.LinkUser(t.Context(), again)
	if err != nil || u.Name != "admin" || u.Role != fleet.RoleAdmin {
		t.Fatalf("%+v, %v", u, err)
	}
	for _, bad := range []string{"", "short", "aaaaaaaaaaaaaaaa", "admin-admin-1", strings.Repeat("long ", 200), "\xff\xfe\xfd0123456789"} {
		_, err = p.UseLink(t.Context(), again, bad)
		code(t, err, fleet.Invalid)
	}
	_, err = p.UseLink(t.Context(), again, good)
	code(t, err, "")
	_, err = p.UseLink(t.Context(), again, good)
	code(t, err, fleet.Unauthenticated)
	p.in("admin")
	p.caller(p.in("admin"))
	if link, err = p.FirstAdmin(t.Context(), "admin"); err != nil {
		t.Fatal(err)
	}
	p.now = p.now.Add(25 * time.Hour)
	if link != "" {
		_, err = p.LinkUser(t.Context(), link)
		code(t, err, fleet.Unauthenticated)
	}
	p.now = p.now.Add(2 * time.Minute)
	p.caller(p.in("admin"))
	p.now = p.now.Add(2 * time.Minute)
	p.caller(p.in("admin"))
}

// An admin who has logged in once is never offered a link again by init.
func TestFirstAdminIsFirst(t *testing.T) {
	p := newPlace(t)
	p.user("admin", fleet.RoleAdmin)
	o := p.in("admin")
	p.now = p.now.Add(2 * time.Minute)
	p.caller(o) // seen
	if link, err := p.FirstAdmin(t.Context(), "admin"); err != nil || link != "" {
		t.Errorf("%q, %v", link, err)
	}
}

func TestUsers(t *testing.T) {
	p := newPlace(t)
	for _, u := range []fleet.User{
		{Name: "", Role: fleet.RoleAdmin},
		{Name: "a b", Role: fleet.RoleAdmin},
		{Name: "ada", Role: "god"},
		{Name: "ada", Role: fleet.RoleAdmin, Tenants: []fleet.Name{"acme"}},
		{Name: "ada", Role: fleet.RoleAdmin, DisplayName: "a\x00"},
	} {
		_, err := p.CreateUser(t.Context(), u, "")
		code(t, err, fleet.Invalid)
	}
	p.user("ada", fleet.RoleAdmin)
	_, err := p.CreateUser(t.Context(), fleet.User{Name: "ada", Role: fleet.RoleViewer}, "")
	code(t, err, fleet.Taken)
	_, err = p.CreateUser(t.Context(), fleet.User{Name: "ben", Role: fleet.RoleViewer}, "no-identity")
	code(t, err, fleet.Invalid)
	_, err = p.CreateUser(t.Context(), fleet.User{Name: "ben", Role: fleet.RoleViewer}, "https://id.example.org 7")
	code(t, err, "")
	_, _, err = p.EditUser(t.Context(), "ada", UserEdit{Subject: new("https://id.example.org 7")}, 0)
	code(t, err, fleet.Taken)
	before, after, err := p.EditUser(t.Context(), "ben", UserEdit{Role: new(fleet.RoleClient), Tenants: new([]fleet.Name{"b", "a", "b"})}, 1)
	if err != nil || before.Role != fleet.RoleViewer || after.Role != fleet.RoleClient || len(after.Tenants) != 2 {
		t.Fatalf("%+v, %+v, %v", before, after, err)
	}
	_, _, err = p.EditUser(t.Context(), "ben", UserEdit{DisplayName: new("Ben")}, 1)
	code(t, err, fleet.Conflict)
	_, _, err = p.EditUser(t.Context(), "ada", UserEdit{Role: new(fleet.RoleViewer)}, 0)
	code(t, err, fleet.Conflict)
}

func TestTokens(t *testing.T) {
	p, ctx := newPlace(t), t.Context()
	p.user("ada", fleet.RoleAdmin)
	p.user("ben", fleet.RoleOperator)
	p.user("cleo", fleet.RoleClient, "acme", "bakery")
	ada, ben, cleo := p.caller(p.in("ada")), p.caller(p.in("ben")), p.caller(p.in("cleo"))
	for _, bad := range []struct {
		who  fleet.Caller
		req  TokenRequest
		code fleet.Code
	}{
		{ben, TokenRequest{Name: "x", Role: fleet.RoleAdmin}, fleet.Forbidden},
		{ben, TokenRequest{Name: " "}, fleet.Invalid},
		{ben, TokenRequest{Name: "x", Role: "god"}, fleet.Invalid},
		{ben, TokenRequest{Name: "x", For: -time.Second}, fleet.Invalid},
		{ben, TokenRequest{Name: "x", Role: fleet.RoleClient}, fleet.Invalid},
		{cleo, TokenRequest{Name: "x", Tenants: []fleet.Name{"secret"}}, fleet.NotFound},
		{fleet.Caller{Kind: fleet.CallerSocket, Role: fleet.RoleAdmin}, TokenRequest{Name: "x"}, fleet.Invalid},
	} {
		_, _, err := p.CreateToken(ctx, bad.who, bad.req)
		code(t, err, bad.code)
	}
	make := func(who fleet.Caller, req TokenRequest) (fleet.Token, string) {
		t.Helper()
		tok, text, err := p.CreateToken(ctx, who, req)
		if err != nil {
			t.Fatal(err)
		}
		return tok, text
	}
	by := func(text string) fleet.Caller {
		t.Helper()
		c, err := p.ByToken(ctx, text, "192.0.2.9")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	tok, text := make(ben, TokenRequest{Name: "onboarding", For: time.Hour})
	if c := by(text); c.Role != fleet.RoleOperator || c.User != "ben" || c.Name != tok.ID || !c.Sees("acme") {
		t.Errorf("caller %+v", c)
	}
	_, narrow := make(ben, TokenRequest{Name: "one", Tenants: []fleet.Name{"acme"}})
	if c := by(narrow); c.Role != fleet.RoleOperator || !c.Sees("acme") || c.Sees("bakery") {
		t.Errorf("caller %+v", c)
	}
	_, clients := make(cleo, TokenRequest{Name: "both", Tenants: []fleet.Name{"acme", "bakery"}})
	_, all := make(cleo, TokenRequest{Name: "all"}) // all that she sees
	if c := by(all); !c.Sees("acme") || !c.Sees("bakery") || c.Sees("secret") {
		t.Errorf("caller %+v", c)
	}
	// What the owner may no longer do, the token may not either.
	if _, _, err := p.EditUser(ctx, "cleo", UserEdit{Tenants: new([]fleet.Name{"bakery"})}, 0); err != nil {
		t.Fatal(err)
	}
	if c := by(clients); c.Sees("acme") || !c.Sees("bakery") {
		t.Errorf("caller %+v", c)
	}
	if _, _, err := p.EditUser(ctx, "ben", UserEdit{Role: new(fleet.RoleClient)}, 0); err != nil {
		t.Fatal(err)
	}
	if c := by(text); c.Role != fleet.RoleClient || c.Sees("acme") {
		t.Errorf("caller %+v", c)
	}
	list, err := p.Tokens(ctx, "ben")
	if err != nil || len(list) != 2 || list[1].LastUsedBy != "192.0.2.9" || !list[1].LastUsedAt.Equal(p.now) {
		t.Errorf("%+v, %v", list, err)
	}
	p.now = p.now.Add(time.Hour)
	_, err = p.ByToken(ctx, text, "")
	code(t, err, fleet.Unauthenticated)
	_, err = p.ByToken(ctx, "lxdfleet_", "")
	code(t, err, fleet.Unauthenticated)
	code(t, p.DeleteToken(ctx, cleo, tok.ID), fleet.NotFound)
	code(t, p.DeleteToken(ctx, ada, tok.ID), "")
	code(t, p.DeleteUser(ctx, "cleo"), "")
	_, err = p.ByToken(ctx, all, "")
	code(t, err, fleet.Unauthenticated)
}

// altered is a log somebody has had hands on.
type altered struct {
	Store
	change func([]fleet.AuditEntry) []fleet.AuditEntry
}

func (a altered) Audit(ctx context.Context, f fleet.AuditFilter) ([]fleet.AuditEntry, error) {
	list, err := a.Store.Audit(ctx, f)
	return a.change(list), err
}

func TestAuditShowsWhatWasDoneToIt(t *testing.T) {
	p, ctx := newPlace(t), t.Context()
	who := fleet.Caller{Kind: fleet.CallerToken, Name: "id", User: "ada", Address: "192.0.2.1"}
	for i := range 6 {
		if err := p.Note(ctx, who, fleet.AuditEntry{Operation: "stopTenant", Subject: "tenant/acme", Status: 200 + i}); err != nil {
			t.Fatal(err)
		}
	}
	last, flaws, err := p.Check(ctx)
	if err != nil || len(flaws) != 0 || last.Seq != 6 || last.Actor != "token id of ada" {
		t.Fatalf("%+v, %v, %v", last, flaws, err)
	}
	real := p.store
	cut := func(from, to int) func([]fleet.AuditEntry) []fleet.AuditEntry {
		return func(l []fleet.AuditEntry) []fleet.AuditEntry { return append(l[:from:from], l[to:]...) }
	}
	for name, tt := range map[string]struct {
		change func([]fleet.AuditEntry) []fleet.AuditEntry
		seq    int64
	}{
		"altered":    {func(l []fleet.AuditEntry) []fleet.AuditEntry { l[2].Status = 500; return l }, 4},
		"resealed":   {func(l []fleet.AuditEntry) []fleet.AuditEntry { l[2].Status = 500; l[2].Hash = l[2].Seal(); return l }, 5},
		"one gone":   {cut(2, 3), 4},
		"some gone":  {cut(2, 4), 3},
		"first gone": {cut(4, 6), 1},
	} {
		p.store = altered{real, tt.change}
		if _, flaws, err := p.Check(ctx); err != nil || len(flaws) != 1 || flaws[0].Seq != tt.seq {
			t.Errorf("%s: %v, %v", name, flaws, err)
		}
	}
	p.store = real
	mine, err := p.Audit(ctx, fleet.Caller{Kind: fleet.CallerSession, Role: fleet.RoleClient, Tenants: []fleet.Name{"bakery"}}, fleet.AuditFilter{})
	if err != nil || len(mine) != 0 {
		t.Errorf("%v, %v", mine, err)
	}
}

func FuzzParseUserName(f *testing.F) {
	f.Add("Ada@example.org")
	f.Add(" a ")
	f.Add("-x")
	f.Fuzz(func(t *testing.T, s string) {
		name, err := fleet.ParseUserName(s)
		if err != nil {
			return
		}
		if again, err := fleet.ParseUserName(name); err != nil || again != name {
			t.Errorf("%q became %q, and then %q, %v", s, name, again, err)
		}
	})
}
