package accounts

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// UserEdit asks for a change of a user. What is nil stays as it is.
type UserEdit struct {
	DisplayName *string
	Role        *fleet.Role
	Tenants     *[]fleet.Name
	Disabled    *bool
	Subject     *string // at an OpenID provider; empty: none
}

// mostSubject is how long an identity may be, in bytes.
const mostSubject = 255

// CreateUser adds a user who cannot log in yet: Link makes what sets a password. fleet.Taken;
// fleet.Invalid where only a client may have tenants, or its name or role is none.
func (s *Service) CreateUser(ctx context.Context, u fleet.User, subject string) (fleet.User, error) {
	name, err := fleet.ParseUserName(u.Name)
	if err != nil {
		return fleet.User{}, err
	}
	now := s.opt.Now()
	u = fleet.User{Name: name, DisplayName: u.DisplayName, Role: u.Role, Tenants: u.Tenants, Subject: subject, CreatedAt: now, UpdatedAt: now, Revision: 1}
	if err := checkUser(&u); err != nil {
		return fleet.User{}, err
	}
	if err := s.checkSubject(ctx, name, subject); err != nil {
		return fleet.User{}, err
	}
	return u, s.store.InsertUser(ctx, u, fleet.Credentials{Subject: subject})
}

func checkUser(u *fleet.User) error {
	if _, err := fleet.ParseRole(string(u.Role)); err != nil {
		return err
	}
	if len(u.DisplayName) > 200 || strings.ContainsFunc(u.DisplayName, func(r rune) bool { return r < ' ' }) {
		return fleet.Errorf(fleet.Invalid, "it is too long or has control characters").WithField("display_name").WithHint("use at most 200 bytes of text")
	}
	if u.Role != fleet.RoleClient && len(u.Tenants) > 0 {
		return fleet.Errorf(fleet.Invalid, "only a client is bound to tenants").WithField("tenants").
			WithHint("give the role client, or no tenants")
	}
	slices.Sort(u.Tenants)
	u.Tenants = slices.Compact(u.Tenants)
	return nil
}

func (s *Service) checkSubject(ctx context.Context, name, subject string) error {
	if subject == "" {
		return nil
	}
	if issuer, rest, ok := strings.Cut(subject, " "); !ok || issuer == "" || rest == "" || len(subject) > mostSubject {
		return fleet.Errorf(fleet.Invalid, "%q is no identity", subject).WithField("subject").
			WithHint("write the provider's address, a space and its name for the user: 'https://id.example.org 1234'")
	}
	other, _, err := s.store.UserBySubject(ctx, subject)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound || err == nil && other.Name == name:
		return nil
	case err != nil:
		return err
	}
	return fleet.Errorf(fleet.Taken, "user %s has that identity", other.Name).WithField("subject").WithHint("take it from that user first")
}

// EditUser changes a user. With revision, only where it is still at that one (fleet.Conflict).
// Less power ends the user's sessions. fleet.Conflict where no admin would be left.
func (s *Service) EditUser(ctx context.Context, name string, edit UserEdit, revision int64) (before, after fleet.User, err error) {
	before, c, err := s.store.User(ctx, name)
	if err != nil {
		return before, after, err
	}
	if revision != 0 && revision != before.Revision {
		return before, after, fleet.Errorf(fleet.Conflict, "user %s was changed meanwhile", name).WithHint("read it again and repeat the change")
	}
	u := before
	set(&u.DisplayName, edit.DisplayName)
	set(&u.Role, edit.Role)
	set(&u.Tenants, edit.Tenants)
	set(&u.Disabled, edit.Disabled)
	set(&c.Subject, edit.Subject)
	if err := checkUser(&u); err != nil {
		return before, after, err
	}
	if err := s.checkSubject(ctx, name, c.Subject); err != nil {
		return before, after, err
	}
	u.UpdatedAt = s.opt.Now()
	after, err = s.store.UpdateUser(ctx, u, c, !u.Role.Includes(before.Role) || edit.Tenants != nil)
	return before, after, err
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// DeleteUser removes a user with its sessions and tokens; fleet.NotFound, fleet.Conflict.
func (s *Service) DeleteUser(ctx context.Context, name string) error {
	return s.store.DeleteUser(ctx, name)
}

// Link makes a one-time link's secret, by which the user sets a password without knowing the
// old one, and until when it is good. Earlier links of the user are good no more.
func (s *Service) Link(ctx context.Context, name string) (secret string, until time.Time, err error) {
	if _, _, err := s.store.User(ctx, name); err != nil {
		return "", until, err
	}
	secret, until = newSecret(), s.opt.Now().Add(s.opt.LinkFor)
	return secret, until, s.store.SaveUserLink(ctx, name, hashOf(secret), until)
}

// LinkUser tells whose link it is; fleet.Unauthenticated where it is good no more.
func (s *Service) LinkUser(ctx context.Context, secret string) (fleet.User, error) {
	name, err := s.store.UserLink(ctx, hashOf(secret), s.opt.Now())
	if err != nil {
		return fleet.User{}, err
	}
	return s.User(ctx, name)
}

// UseLink sets the password of the user a link is for and uses the link up. The user's second
// factor, if there is one, stays: a link alone does not let in.
func (s *Service) UseLink(ctx context.Context, secret, password string) (fleet.User, error) {
	name, err := s.store.UserLink(ctx, hashOf(secret), s.opt.Now())
	if err != nil {
		return fleet.User{}, err
	}
	if err := checkPassword(name, password); err != nil {
		return fleet.User{}, err // and the link stays good
	}
	if err := s.store.UseUserLink(ctx, hashOf(secret), s.opt.Now()); err != nil {
		return fleet.User{}, err
	}
	return s.setPassword(ctx, name, password)
}

// ChangePassword sets another password of a user who knows the old one. All sessions end: the
// caller gets another (Renew). fleet.Forbidden, slowed down as a login, where old is wrong.
func (s *Service) ChangePassword(ctx context.Context, caller fleet.Caller, old, password string) error {
	if err := s.confirm(ctx, caller, old); err != nil {
		return err
	}
	if err := checkPassword(caller.User, password); err != nil {
		return err
	}
	_, err := s.setPassword(ctx, caller.User, password)
	return err
}

// confirm asks for the password once more before a change of what somebody logs in with.
func (s *Service) confirm(ctx context.Context, caller fleet.Caller, password string) error {
	key := "user " + caller.User
	if err := s.throttle.begin(s.opt.Now(), key); err != nil {
		return err
	}
	_, c, err := s.store.User(ctx, caller.User)
	if err != nil {
		return err
	}
	if right, err := s.opt.Hash.Matches(password, c.PasswordHash); c.PasswordHash == "" || err != nil || !right {
		return fleet.Errorf(fleet.Forbidden, "the password is wrong").WithField("password").WithHint("give the one you log in with")
	}
	s.throttle.good(key)
	return nil
}

func (s *Service) setPassword(ctx context.Context, name, password string) (fleet.User, error) {
	hash, err := s.opt.Hash.Hash(password)
	if err != nil {
		return fleet.User{}, fleet.Errorf(fleet.Internal, "the password cannot be hashed: %w", err)
	}
	return s.change(ctx, name, func(c *fleet.Credentials) { c.PasswordHash = hash })
}

// change edits what a user proves itself with, again where another writer came between, and
// ends the user's sessions.
func (s *Service) change(ctx context.Context, name string, edit func(*fleet.Credentials)) (fleet.User, error) {
	for tries := 0; ; tries++ {
		u, c, err := s.store.User(ctx, name)
		if err != nil {
			return fleet.User{}, err
		}
		edit(&c)
		u.UpdatedAt = s.opt.Now()
		after, err := s.store.UpdateUser(ctx, u, c, true)
		if err == nil || fleet.CodeOf(err) != fleet.Conflict || tries == 9 {
			return after, err
		}
	}
}

// PlanTOTP makes a secret for one-time codes, and its otpauth:// address for a QR code. It counts
// once SetTOTP has seen a code of it.
func (s *Service) PlanTOTP(caller fleet.Caller) (secret, address string, err error) {
	return newTOTP("lxdfleet", caller.User)
}

// SetTOTP makes logins of the caller ask for codes of the secret, which code proves to be in an
// authenticator. fleet.Invalid where it is not.
func (s *Service) SetTOTP(ctx context.Context, caller fleet.Caller, password, secret, code string) error {
	if err := s.confirm(ctx, caller, password); err != nil {
		return err
	}
	step := stepOf(secret, code, s.opt.Now())
	if step == 0 {
		return wrongCode()
	}
	_, err := s.change(ctx, caller.User, func(c *fleet.Credentials) { c.TOTPSecret, c.TOTPStep = secret, step })
	return err
}

// DropTOTP ends the one-time codes of the caller, who gives the password once more.
func (s *Service) DropTOTP(ctx context.Context, caller fleet.Caller, password string) error {
	if err := s.confirm(ctx, caller, password); err != nil {
		return err
	}
	return s.ClearTOTP(ctx, caller.User)
}

// ClearTOTP ends the one-time codes of a user who has lost the authenticator: for admins.
func (s *Service) ClearTOTP(ctx context.Context, name string) error {
	_, err := s.change(ctx, name, func(c *fleet.Credentials) { c.TOTPSecret, c.TOTPStep = "", 0 })
	return err
}

// FirstAdmin gives a one-time link for the first admin where there is no user yet, and makes
// that user; "" where there is one.
func (s *Service) FirstAdmin(ctx context.Context, name string) (secret string, err error) {
	users, err := s.store.Users(ctx)
	if err != nil || len(users) > 0 && !(len(users) == 1 && users[0].Name == name && users[0].LastSeenAt.IsZero()) {
		return "", err
	}
	if len(users) == 0 {
		_, err := s.CreateUser(ctx, fleet.User{Name: name, Role: fleet.RoleAdmin}, "")
		if err != nil && fleet.CodeOf(err) != fleet.Taken {
			return "", err
		}
	}
	secret, _, err = s.Link(ctx, name)
	return secret, err
}
