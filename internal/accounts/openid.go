package accounts

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// OpenIDRules say what follows here from what an OpenID provider says of somebody. The zero value
// lets in the users that an admin has given an identity, with the role they have here.
type OpenIDRules struct {
	// Create makes a user at the first login of somebody who has none.
	Create bool
	// LinkEmail gives the identity, at its first login, to the user without one whose name is the
	// verified address.
	LinkEmail bool
	// Domains are those of which a verified address is asked for; empty: none is.
	Domains []string
	// Claimed: the role follows from the identity's Roles at each login.
	Claimed bool
	// Roles gives a role for a value of Roles. The mightiest counts.
	Roles map[string]fleet.Role
	// Default is the role where none follows; empty: nobody is let in without one.
	Default fleet.Role
	// ClaimedTenants: a client's tenants are the identity's Tenants, at each login.
	ClaimedTenants bool
	// Most ends every session of such a login; 0: as others end.
	Most time.Duration
}

// LoginByOpenID begins a session of whoever prove tells of, which asks the provider. The errors are
// those of prove; fleet.Forbidden where somebody is known there and is not let in here;
// fleet.Exhausted (WaitError) where too many failed from the address.
func (s *Service) LoginByOpenID(ctx context.Context, l Login, prove func(context.Context) (fleet.Identity, error)) (Opened, error) {
	byAddress := "address " + l.Address
	if err := s.throttle.begin(s.opt.Now(), byAddress); err != nil {
		return Opened{}, err
	}
	who, err := prove(ctx)
	if err == nil || fleet.CodeOf(err) != fleet.Unauthenticated {
		s.throttle.spare(byAddress)
	}
	if err != nil {
		return Opened{}, err
	}
	u, err := s.admit(ctx, l, who)
	if err != nil {
		return Opened{}, err
	}
	return s.openUntil(ctx, u, l, s.opt.OpenID.Most)
}

// admit gives the user of an identity, which it makes, links or changes as the rules say.
func (s *Service) admit(ctx context.Context, l Login, who fleet.Identity) (fleet.User, error) {
	rules := s.opt.OpenID
	if err := rules.checkDomain(who); err != nil {
		return fleet.User{}, err
	}
	u, c, err := s.ofIdentity(ctx, l, who)
	if err != nil {
		return fleet.User{}, err
	}
	if u.Disabled {
		return fleet.User{}, outside("user %s is disabled", u.Name)
	}
	role, tenants, err := rules.power(u, who)
	if err != nil {
		return fleet.User{}, err
	}
	if role == u.Role && slices.Equal(tenants, u.Tenants) {
		return u, nil
	}
	before := u
	u.Role, u.Tenants, u.UpdatedAt = role, tenants, s.opt.Now()
	if u, err = s.store.UpdateUser(ctx, u, c, true); err != nil {
		return fleet.User{}, err
	}
	return u, s.noteIdentity(ctx, l, "editUser", &before, u)
}

func (r OpenIDRules) checkDomain(who fleet.Identity) error {
	if len(r.Domains) == 0 {
		return nil
	}
	_, domain, _ := strings.Cut(who.Email, "@")
	if !who.EmailVerified || !slices.ContainsFunc(r.Domains, func(d string) bool { return strings.EqualFold(d, domain) }) {
		return outside("the address %q, verified: %t, is of none of the domains that are let in", who.Email, who.EmailVerified)
	}
	return nil
}

// power gives the role and tenants that a user has from now on.
func (r OpenIDRules) power(u fleet.User, who fleet.Identity) (fleet.Role, []fleet.Name, error) {
	role, tenants := u.Role, u.Tenants
	if r.Claimed {
		if role = r.role(who); role == "" {
			return "", nil, outside("none of the groups %q gives a role", who.Roles)
		}
	}
	switch {
	case role != fleet.RoleClient:
		tenants = nil
	case r.ClaimedTenants:
		tenants = nil
		for _, text := range who.Tenants {
			if name, err := fleet.ParseName(text); err == nil {
				tenants = append(tenants, name)
			}
		}
		slices.Sort(tenants)
		tenants = slices.Compact(tenants)
	}
	return role, tenants, nil
}

// role is the mightiest that follows from an identity; empty: none.
func (r OpenIDRules) role(who fleet.Identity) fleet.Role {
	for _, role := range fleet.Roles() {
		if slices.ContainsFunc(who.Roles, func(value string) bool { return r.Roles[value] == role }) {
			return role
		}
	}
	return r.Default
}

// ofIdentity gives the user of an identity, which is made or linked where the rules say so.
func (s *Service) ofIdentity(ctx context.Context, l Login, who fleet.Identity) (fleet.User, fleet.Credentials, error) {
	u, c, err := s.store.UserBySubject(ctx, who.Key())
	if fleet.CodeOf(err) != fleet.NotFound {
		return u, c, err
	}
	if len(who.Key()) > mostSubject {
		return u, c, outside("the identity %q is longer than %d bytes", who.Key(), mostSubject)
	}
	if s.opt.OpenID.LinkEmail && who.EmailVerified {
		u, c, err = s.linkEmail(ctx, l, who)
		if fleet.CodeOf(err) != fleet.NotFound {
			return u, c, err
		}
	}
	if !s.opt.OpenID.Create {
		return u, c, outside("nobody here has the identity %q", who.Key())
	}
	return s.made(ctx, l, who)
}

// linkEmail gives the identity to the user whose name is the verified address. fleet.NotFound
// where there is none without an identity.
func (s *Service) linkEmail(ctx context.Context, l Login, who fleet.Identity) (fleet.User, fleet.Credentials, error) {
	name, err := fleet.ParseUserName(who.Email)
	if err != nil {
		return fleet.User{}, fleet.Credentials{}, fleet.Errorf(fleet.NotFound, "nobody has the address %q", who.Email)
	}
	u, c, err := s.store.User(ctx, name)
	if err != nil {
		return u, c, err
	}
	if c.Subject != "" {
		return u, c, outside("user %s has another identity, %q", name, c.Subject)
	}
	before := u
	c.Subject, u.UpdatedAt = who.Key(), s.opt.Now()
	if u, err = s.store.UpdateUser(ctx, u, c, false); err != nil {
		return u, c, err
	}
	return u, c, s.noteIdentity(ctx, l, "editUser", &before, u)
}

// made makes a user of an identity, named as its address or else as its user name there.
func (s *Service) made(ctx context.Context, l Login, who fleet.Identity) (fleet.User, fleet.Credentials, error) {
	c := fleet.Credentials{Subject: who.Key()}
	name, err := fleet.ParseUserName(who.Email)
	if err != nil || !who.EmailVerified {
		name, err = fleet.ParseUserName(who.Username)
	}
	if err != nil {
		return fleet.User{}, c, outside("neither the address %q nor the name %q can be a user's name here", who.Email, who.Username)
	}
	role, tenants, err := s.opt.OpenID.power(fleet.User{Role: s.opt.OpenID.Default}, who)
	if err != nil {
		return fleet.User{}, c, err
	}
	now := s.opt.Now()
	u := fleet.User{Name: name, DisplayName: shown(who.Name), Role: role, Tenants: tenants, Subject: who.Key(), CreatedAt: now, UpdatedAt: now, Revision: 1}
	if err := checkUser(&u); err != nil {
		return u, c, err
	}
	err = s.store.InsertUser(ctx, u, c)
	if fleet.CodeOf(err) == fleet.Taken {
		// Somebody else's name, or made by another login of the same identity just now.
		if u, c, err := s.store.UserBySubject(ctx, who.Key()); err == nil {
			return u, c, nil
		}
		return u, c, outside("there is a user %s already, who has not this identity", name)
	}
	if err != nil {
		return u, c, err
	}
	return u, c, s.noteIdentity(ctx, l, "createUser", nil, u)
}

// shown makes a display name of what a provider says.
func shown(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	return strings.ToValidUTF8(cut(clean, 200), "")
}

// noteIdentity writes into the audit log what a login has changed of its user.
func (s *Service) noteIdentity(ctx context.Context, l Login, operation string, before *fleet.User, after fleet.User) error {
	e := fleet.AuditEntry{Operation: operation, Subject: "user/" + after.Name, Status: 200}
	if operation == "createUser" {
		e.Status = 201
	}
	var err error
	if before != nil {
		if e.Before, err = json.Marshal(*before); err != nil {
			return err
		}
	}
	if e.After, err = json.Marshal(after); err != nil {
		return err
	}
	return s.Note(ctx, fleet.Caller{Kind: fleet.CallerSession, Name: after.Name, User: after.Name, Address: l.Address}, e)
}

func outside(format string, args ...any) error {
	return fleet.Errorf(fleet.Forbidden, format, args...).WithHint("an admin can let you in: lxdfleet user set NAME --subject IDENTITY")
}
