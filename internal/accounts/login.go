package accounts

import (
	"context"
	"errors"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Login is what somebody says who wants in.
type Login struct {
	Name, Password string
	Code           string // one-time; only of users that have one
	Address        string // IP address it comes from
	UserAgent      string
}

// Opened is a session that has just begun: its secret is shown this once.
type Opened struct {
	Session fleet.Session
	User    fleet.User
	Secret  string // for the cookie
}

// Login begins a session. fleet.Unauthenticated where name, password or code are wrong or the user is
// disabled, and nothing tells which; fleet.Exhausted (WaitError) where too many failed; fleet.Invalid
// with field "code" where all else is right and a code is asked for.
func (s *Service) Login(ctx context.Context, l Login) (Opened, error) {
	now := s.opt.Now()
	name, err := fleet.ParseUserName(l.Name)
	if err != nil {
		name = "?" // no user's; it is slowed down like one
	}
	byUser, byAddress := "user "+name, "address "+l.Address
	if err := s.throttle.begin(now, byUser, byAddress); err != nil {
		return Opened{}, err
	}
	u, err := s.prove(ctx, name, l)
	if errors.Is(err, errNeedsCode) {
		s.throttle.spare(byUser, byAddress) // the password was right; the code is another try
		return Opened{}, needsCode()
	}
	if err != nil {
		return Opened{}, err
	}
	s.throttle.good(byUser)
	// Its earlier failures stay: whoever has one account may not guess another's from there.
	s.throttle.spare(byAddress)
	return s.open(ctx, u, l)
}

// prove gives the user whose name, password and code are right.
func (s *Service) prove(ctx context.Context, name string, l Login) (fleet.User, error) {
	u, c, err := s.store.User(ctx, name)
	known := err == nil && c.PasswordHash != ""
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fleet.User{}, err
	}
	hash := c.PasswordHash
	if !known {
		hash = s.nobody()
	}
	if len(l.Password) > mostPassword {
		l.Password = ""
	}
	right, err := s.opt.Hash.Matches(l.Password, hash)
	if err != nil || !right || !known || u.Disabled {
		return fleet.User{}, wrong()
	}
	if c.TOTPSecret == "" {
		return u, nil
	}
	if l.Code == "" {
		return fleet.User{}, errNeedsCode
	}
	step := stepOf(c.TOTPSecret, l.Code, s.opt.Now())
	if step == 0 {
		return fleet.User{}, wrong()
	}
	if err := s.store.UseTOTPStep(ctx, name, step); err != nil {
		return fleet.User{}, err
	}
	return u, nil
}

// errNeedsCode: all is right so far, and a code is asked for.
var errNeedsCode = errors.New("a one-time code is needed")

func needsCode() error {
	return fleet.Errorf(fleet.Invalid, "%w", errNeedsCode).WithField("code").
		WithHint("give the six digits that the authenticator shows")
}

func wrong() error {
	return fleet.Errorf(fleet.Unauthenticated, "name, password or code are wrong").
		WithHint("an admin can make a link to set another password: lxdfleet user link NAME")
}
