package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// seenEvery is how often it is written down that a session or token was used.
const seenEvery = time.Minute

// open begins a session with a secret of its own: one that was known before the login is worth
// nothing after it.
func (s *Service) open(ctx context.Context, u fleet.User, l Login) (Opened, error) {
	return s.openUntil(ctx, u, l, 0)
}

// openUntil is open for a session that ends after most; 0: as all do.
func (s *Service) openUntil(ctx context.Context, u fleet.User, l Login, most time.Duration) (Opened, error) {
	if most <= 0 || most > s.opt.SessionMost {
		most = s.opt.SessionMost
	}
	now, secret := s.opt.Now(), newSecret()
	v := fleet.Session{
		ID: fleet.NewID(now), Hash: hashOf(secret), User: u.Name, CreatedAt: now, SeenAt: now, EndsAt: now.Add(most),
		ExpiresAt: now.Add(min(s.opt.SessionIdle, most)), Address: l.Address, UserAgent: cut(l.UserAgent, 300),
	}
	if err := s.store.InsertSession(ctx, v); err != nil {
		return Opened{}, err
	}
	return Opened{Session: v, User: u, Secret: secret}, nil
}

func cut(text string, most int) string {
	if len(text) > most {
		return text[:most]
	}
	return text
}

// BySession tells who a cookie's secret belongs to. fleet.Unauthenticated where the session has ended
// or its user is gone or disabled.
func (s *Service) BySession(ctx context.Context, secret, address string) (fleet.Caller, error) {
	now := s.opt.Now()
	v, err := s.store.SessionByHash(ctx, hashOf(secret), now)
	if fleet.CodeOf(err) == fleet.NotFound {
		return fleet.Caller{}, ended()
	}
	if err != nil {
		return fleet.Caller{}, err
	}
	u, _, err := s.store.User(ctx, v.User)
	if fleet.CodeOf(err) == fleet.NotFound || err == nil && u.Disabled {
		return fleet.Caller{}, ended()
	}
	if err != nil {
		return fleet.Caller{}, err
	}
	if now.Sub(v.SeenAt) >= seenEvery || v.Address != address {
		v.SeenAt, v.Address = now, address
		v.ExpiresAt = earlier(now.Add(s.opt.SessionIdle), earlier(v.EndsAt, v.CreatedAt.Add(s.opt.SessionMost)))
		if err := s.store.SaveSessionSeen(ctx, v); err != nil {
			return fleet.Caller{}, err
		}
	}
	return fleet.Caller{
		Kind: fleet.CallerSession, Name: u.Name, User: u.Name, Role: u.Role, Tenants: sees(u.Role, u.Tenants),
		Session: v.ID, Address: address, Until: v.ExpiresAt,
	}, nil
}

func ended() error {
	return fleet.Errorf(fleet.Unauthenticated, "the session has ended").WithHint("log in again")
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// sees is the Caller's list of tenants: nil for all, never nil for a client.
func sees(role fleet.Role, tenants []fleet.Name) []fleet.Name {
	if role == fleet.RoleClient && tenants == nil {
		return []fleet.Name{}
	}
	return tenants
}

// Renew gives a session another secret, the old one being good no more: after a change of what
// its user proves itself with.
func (s *Service) Renew(ctx context.Context, caller fleet.Caller, l Login) (Opened, error) {
	u, _, err := s.store.User(ctx, caller.User)
	if err != nil {
		return Opened{}, err
	}
	opened, err := s.open(ctx, u, l)
	if err != nil {
		return Opened{}, err
	}
	return opened, s.store.DeleteSessions(ctx, caller.User, opened.Session.ID)
}

// Logout ends the caller's session.
func (s *Service) Logout(ctx context.Context, caller fleet.Caller) error {
	return s.EndSession(ctx, caller.User, caller.Session)
}

// Sessions lists a user's sessions, the newest first.
func (s *Service) Sessions(ctx context.Context, user string) ([]fleet.Session, error) {
	return s.store.Sessions(ctx, user, s.opt.Now())
}

// EndSession ends one session of a user; fleet.NotFound.
func (s *Service) EndSession(ctx context.Context, user, id string) error {
	return s.store.DeleteSession(ctx, user, id)
}

// EndSessions ends all sessions of a user; fleet.NotFound where there is no such user.
func (s *Service) EndSessions(ctx context.Context, user string) error {
	if _, _, err := s.store.User(ctx, user); err != nil {
		return err
	}
	return s.store.DeleteSessions(ctx, user, "")
}

// CSRF gives the value that a page must send along with each change it asks for in a session: it
// follows from the cookie's secret, which another site's page can have sent but cannot read.
func CSRF(secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("lxdfleet csrf"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// CheckCSRF reports whether value is the CSRF of the secret.
func CheckCSRF(secret, value string) bool { return hmac.Equal([]byte(CSRF(secret)), []byte(value)) }
