package accounts

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const issuer = "https://id.example.org"

// visit logs somebody in whom the provider vouches for.
func (p *place) visit(who fleet.Identity) (Opened, error) {
	p.t.Helper()
	return p.LoginByOpenID(p.t.Context(), Login{Address: "192.0.2.7", UserAgent: "lynx"}, func(context.Context) (fleet.Identity, error) { return who, nil })
}

func identity(subject string, change ...func(*fleet.Identity)) fleet.Identity {
	who := fleet.Identity{
		Issuer: issuer, Subject: subject, Email: subject + "@agency.example", EmailVerified: true, Username: subject, Name: "Some One",
	}
	for _, c := range change {
		c(&who)
	}
	return who
}

func TestOpenIDLetsInWhomTheRulesSay(t *testing.T) {
	groups := func(g ...string) func(*fleet.Identity) { return func(i *fleet.Identity) { i.Roles = g } }
	roles := map[string]fleet.Role{"admins": fleet.RoleAdmin, "ops": fleet.RoleOperator, "customers": fleet.RoleClient}
	type user struct {
		Name, Display string
		Role          fleet.Role
		Tenants       []fleet.Name
	}
	for _, test := range []struct {
		name  string
		rules OpenIDRules
		who   fleet.Identity
		want  user
		why   string // of those who are not let in
	}{
		{"one who has the identity", OpenIDRules{}, identity("ben"), user{Name: "ben", Role: fleet.RoleViewer}, ""},
		{"one of the same name only", OpenIDRules{}, identity("cleo@agency.example"), user{}, "nobody here has the identity"},
		{"one of the same subject elsewhere", OpenIDRules{}, identity("ben", func(i *fleet.Identity) { i.Issuer = "https://evil.example" }), user{}, "nobody here"},
		{"a subject in other letters", OpenIDRules{}, identity("Ben"), user{}, "nobody here"},
		{"one who is disabled", OpenIDRules{}, identity("dora"), user{}, "disabled"},
		{"the owner of the address", OpenIDRules{LinkEmail: true}, identity("cleo"), user{Name: "cleo@agency.example", Role: fleet.RoleOperator}, ""},
		{"whoever says so", OpenIDRules{LinkEmail: true}, identity("cleo", func(i *fleet.Identity) { i.EmailVerified = false }), user{}, "nobody here"},
		{"the address of one with another identity", OpenIDRules{LinkEmail: true, Create: true}, identity("8", func(i *fleet.Identity) { i.Email = "ben" }), user{}, "another identity"},
		{"nobody's address", OpenIDRules{LinkEmail: true}, identity("eve"), user{}, "nobody here"},
		{"a new one", OpenIDRules{Create: true, Default: fleet.RoleViewer}, identity("eve"), user{"eve@agency.example", "Some One", fleet.RoleViewer, nil}, ""},
		{"a new one without a verified address", OpenIDRules{Create: true, Default: fleet.RoleViewer}, identity("eve", func(i *fleet.Identity) { i.EmailVerified = false }), user{"eve", "Some One", fleet.RoleViewer, nil}, ""},
		{"a new one with a name of somebody else", OpenIDRules{Create: true, Default: fleet.RoleViewer}, identity("cleo"), user{}, "there is a user cleo@agency.example already"},
		{"a new one without a role", OpenIDRules{Create: true, Claimed: true, Roles: roles}, identity("eve", groups("staff")), user{}, "gives a role"},
		{"a new one that cannot be named", OpenIDRules{Create: true, Default: fleet.RoleViewer}, identity("eve", func(i *fleet.Identity) { i.Email, i.Username = "<x>@y", "../.." }), user{}, "can be a user's name"},
		{"a new one with a name that steers", OpenIDRules{Create: true, Default: fleet.RoleViewer}, identity("eve", func(i *fleet.Identity) { i.Name = "E\x1b[31mve\x00" + strings.Repeat("ü", 150) }), user{"eve@agency.example", "E[31mve" + strings.Repeat("ü", 96), fleet.RoleViewer, nil}, ""},
		{"a long identity", OpenIDRules{Create: true, Default: fleet.RoleViewer}, identity(strings.Repeat("x", 250)), user{}, "longer than"},
		{"the mightiest of several roles", OpenIDRules{Create: true, Claimed: true, Roles: roles}, identity("eve", groups("customers", "admins", "ops")), user{"eve@agency.example", "Some One", fleet.RoleAdmin, nil}, ""},
		{"the default role", OpenIDRules{Create: true, Claimed: true, Roles: roles, Default: fleet.RoleViewer}, identity("eve", groups("staff")), user{"eve@agency.example", "Some One", fleet.RoleViewer, nil}, ""},
		{"one with more power now", OpenIDRules{Claimed: true, Roles: roles}, identity("ben", groups("ops")), user{Name: "ben", Role: fleet.RoleOperator}, ""},
		{"one who has left all groups", OpenIDRules{Claimed: true, Roles: roles}, identity("ben"), user{}, "gives a role"},
		{"a group of the same letters", OpenIDRules{Claimed: true, Roles: roles}, identity("ben", groups("Admins")), user{}, "gives a role"},
		{"a client with tenants", OpenIDRules{Claimed: true, Roles: roles, ClaimedTenants: true}, identity("ben", groups("customers"), func(i *fleet.Identity) { i.Tenants = []string{"bakery", "acme", "../x", "acme"} }), user{Name: "ben", Role: fleet.RoleClient, Tenants: []fleet.Name{"acme", "bakery"}}, ""},
		{"a client without", OpenIDRules{Claimed: true, Roles: roles, ClaimedTenants: true}, identity("ben", groups("customers")), user{Name: "ben", Role: fleet.RoleClient}, ""},
		{"tenants of one who is no client", OpenIDRules{ClaimedTenants: true}, identity("ben", func(i *fleet.Identity) { i.Tenants = []string{"acme"} }), user{Name: "ben", Role: fleet.RoleViewer}, ""},
		{"one of the domain", OpenIDRules{Domains: []string{"Agency.example"}}, identity("ben"), user{Name: "ben", Role: fleet.RoleViewer}, ""},
		{"one of another domain", OpenIDRules{Domains: []string{"agency.example"}}, identity("ben", func(i *fleet.Identity) { i.Email = "ben@agency.example.evil.example" }), user{}, "none of the domains"},
		{"one with two signs", OpenIDRules{Domains: []string{"agency.example"}}, identity("ben", func(i *fleet.Identity) { i.Email = "ben@evil.example@agency.example" }), user{}, "none of the domains"},
		{"one of the domain who has not proven it", OpenIDRules{Domains: []string{"agency.example"}}, identity("ben", func(i *fleet.Identity) { i.EmailVerified = false }), user{}, "none of the domains"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPlace(t)
			p.user("ada", fleet.RoleAdmin)
			p.user("cleo@agency.example", fleet.RoleOperator)
			for _, name := range []string{"ben", "dora"} {
				if _, err := p.CreateUser(t.Context(), fleet.User{Name: name, Role: fleet.RoleViewer}, issuer+" "+name); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := p.EditUser(t.Context(), "dora", UserEdit{Disabled: new(true)}, 0); err != nil {
				t.Fatal(err)
			}
			before, err := p.Users(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			p.opt.OpenID = test.rules
			o, err := p.visit(test.who)
			if test.why != "" {
				if fleet.CodeOf(err) != fleet.Forbidden || !strings.Contains(err.Error(), test.why) {
					t.Errorf("error %v, want one about %q", err, test.why)
				}
				after, err := p.Users(t.Context())
				if diff := cmp.Diff(before, after); err != nil || diff != "" {
					t.Errorf("who was refused has changed something: %s", diff)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := user{o.User.Name, o.User.DisplayName, o.User.Role, o.User.Tenants}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			c := p.caller(o)
			if c.User != test.want.Name || c.Role != test.want.Role || o.User.Subject != test.who.Key() {
				t.Errorf("caller %+v, user %+v", c, o.User)
			}
			again, err := p.visit(test.who)
			if err != nil || again.User.Name != o.User.Name || again.Secret == o.Secret {
				t.Errorf("the second time: %+v, %v", again.User, err)
			}
		})
	}
}

func TestOpenIDChangesAreWrittenDown(t *testing.T) {
	p := newPlace(t)
	p.user("ada", fleet.RoleAdmin)
	p.opt.OpenID = OpenIDRules{Create: true, Claimed: true, Roles: map[string]fleet.Role{"ops": fleet.RoleOperator, "all": fleet.RoleViewer}}
	who := identity("eve", func(i *fleet.Identity) { i.Roles = []string{"ops"} })
	first, err := p.visit(who)
	code(t, err, "")
	who.Roles = []string{"all"}
	if _, err := p.visit(who); err != nil {
		t.Fatal(err)
	}
	_, err = p.BySession(t.Context(), first.Secret, "192.0.2.7")
	code(t, err, fleet.Unauthenticated) // it was an operator's
	log, err := p.Audit(t.Context(), fleet.Caller{}, fleet.AuditFilter{Subject: "user/eve@agency.example"})
	if err != nil || len(log) != 2 || log[1].Operation != "createUser" || log[0].Operation != "editUser" || log[0].Address != "192.0.2.7" ||
		!strings.Contains(string(log[0].Before), `"operator"`) || !strings.Contains(string(log[0].After), `"viewer"`) {
		t.Errorf("%+v, %v", log, err)
	}
}

func TestOpenIDSessionsEndSooner(t *testing.T) {
	p := newPlace(t)
	p.opt.OpenID = OpenIDRules{Create: true, Default: fleet.RoleAdmin, Most: 8 * time.Hour}
	o, err := p.visit(identity("eve"))
	code(t, err, "")
	for range 7 {
		p.now = p.now.Add(time.Hour)
		p.caller(o)
	}
	p.now = p.now.Add(time.Hour)
	_, err = p.BySession(t.Context(), o.Secret, "192.0.2.7")
	code(t, err, fleet.Unauthenticated)
}

func TestOpenIDLoginsAreSlowedDown(t *testing.T) {
	p := newPlace(t)
	p.opt.OpenID = OpenIDRules{Create: true, Default: fleet.RoleAdmin}
	asked := 0
	try := func(err error) error {
		_, err = p.LoginByOpenID(t.Context(), Login{Address: "192.0.2.7"}, func(context.Context) (fleet.Identity, error) { asked++; return fleet.Identity{}, err })
		return err
	}
	for range 2 * freeTries { // the provider's fault, not the address's
		code(t, try(fleet.Errorf(fleet.Unavailable, "away")), fleet.Unavailable)
	}
	for range freeTries {
		code(t, try(fleet.Errorf(fleet.Unauthenticated, "forged")), fleet.Unauthenticated)
	}
	asked = 0
	code(t, try(fleet.Errorf(fleet.Unauthenticated, "forged")), fleet.Exhausted)
	if asked != 0 {
		t.Error("the provider was asked all the same")
	}
}

// Of many first logins at once of one identity each gets in, as the same user.
func TestOpenIDFirstLoginsAtOnce(t *testing.T) {
	p := newPlace(t)
	p.opt.OpenID = OpenIDRules{Create: true, Default: fleet.RoleViewer}
	p.user("ada", fleet.RoleAdmin)
	var all sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		all.Go(func() { _, errs[i] = p.visit(identity("eve")) })
	}
	all.Wait()
	users, err := p.Users(t.Context())
	if err != nil || len(users) != 2 {
		t.Errorf("%+v, %v", users, err)
	}
	for _, err := range errs {
		code(t, err, "")
	}
}
