package accounts

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// tokenPrefix begins every token, so that scanners of repositories and logs know one.
const tokenPrefix = "lxdfleet_"

// TokenRequest asks for a token.
type TokenRequest struct {
	Name    string
	Role    fleet.Role // empty: the caller's
	Tenants []fleet.Name
	For     time.Duration // 0: until it is deleted
}

// CreateToken makes a token of the caller's, and its text, which is shown this once. fleet.Forbidden
// for more than the caller may do.
func (s *Service) CreateToken(ctx context.Context, caller fleet.Caller, req TokenRequest) (t fleet.Token, text string, err error) {
	if req.Role == "" {
		req.Role = caller.Role
	}
	if caller.Kind == fleet.CallerToken && len(req.Tenants) == 0 {
		req.Tenants = caller.Tenants // a token makes none that sees more than itself
	}
	if err := checkToken(caller, req); err != nil {
		return fleet.Token{}, "", err
	}
	now := s.opt.Now()
	text = tokenPrefix + newSecret()
	t = fleet.Token{
		ID: fleet.NewID(now), Hash: hashOf(text), Name: strings.TrimSpace(req.Name), Owner: caller.User,
		Role: req.Role, Tenants: slices.Compact(slices.Sorted(slices.Values(req.Tenants))), CreatedAt: now,
	}
	if req.For > 0 {
		t.ExpiresAt = now.Add(req.For)
	}
	if caller.Kind == fleet.CallerToken && !caller.Until.IsZero() && (t.ExpiresAt.IsZero() || t.ExpiresAt.After(caller.Until)) {
		t.ExpiresAt = caller.Until // nor one that lasts longer
	}
	if err := s.store.InsertToken(ctx, t); err != nil {
		return fleet.Token{}, "", err
	}
	return t, text, nil
}

func checkToken(caller fleet.Caller, req TokenRequest) error {
	if _, err := fleet.ParseRole(string(req.Role)); err != nil {
		return err
	}
	switch {
	case caller.User == "":
		return fleet.Errorf(fleet.Invalid, "a token belongs to a user").WithField("user").WithHint("name one, with --user")
	case strings.TrimSpace(req.Name) == "":
		return fleet.Errorf(fleet.Invalid, "the token has no name").WithField("name").WithHint("say what it is for, such as onboarding")
	case req.For < 0 || req.For > 10*365*24*time.Hour:
		return fleet.Errorf(fleet.Invalid, "a token for %s", req.For).WithField("expires_in").WithHint("give up to 87600h, or nothing for one without an end")
	case !caller.Role.Includes(req.Role):
		return fleet.Errorf(fleet.Forbidden, "a token of yours cannot have the role %s", req.Role).WithField("role").
			WithHint("your own role is %s", caller.Role)
	case req.Role == fleet.RoleClient && caller.Role != fleet.RoleClient && len(req.Tenants) == 0:
		return fleet.Errorf(fleet.Invalid, "a client's token needs tenants").WithField("tenants").WithHint("name those it is for")
	}
	for _, name := range req.Tenants {
		if !caller.Sees(name) {
			return fleet.Errorf(fleet.NotFound, "there is no tenant %s", name).WithField("tenants").WithHint("lxdfleet tenant list shows those there are")
		}
	}
	return nil
}

// ByToken tells who a token belongs to. fleet.Unauthenticated where there is none, it has ended, or its
// owner is gone or disabled. What it may do is what both it and its owner may.
func (s *Service) ByToken(ctx context.Context, text, address string) (fleet.Caller, error) {
	t, err := s.store.TokenByHash(ctx, hashOf(text))
	if fleet.CodeOf(err) == fleet.NotFound {
		return fleet.Caller{}, badToken()
	}
	if err != nil {
		return fleet.Caller{}, err
	}
	now := s.opt.Now()
	if !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) {
		return fleet.Caller{}, badToken()
	}
	u, _, err := s.store.User(ctx, t.Owner)
	if fleet.CodeOf(err) == fleet.NotFound || err == nil && u.Disabled {
		return fleet.Caller{}, badToken()
	}
	if err != nil {
		return fleet.Caller{}, err
	}
	if now.Sub(t.LastUsedAt) >= seenEvery || t.LastUsedBy != address {
		if err := s.store.SaveTokenUsed(ctx, t.ID, address, now); err != nil {
			return fleet.Caller{}, err
		}
	}
	return fleet.Caller{
		Kind: fleet.CallerToken, Name: t.ID, User: u.Name, Role: lesser(t.Role, u.Role), Tenants: common(t, u), Address: address,
		Until: t.ExpiresAt,
	}, nil
}

func badToken() error {
	return fleet.Errorf(fleet.Unauthenticated, "the token is not good").
		WithHint("it was deleted, has ended or is mistyped; make one with `lxdfleet token create`")
}

func lesser(a, b fleet.Role) fleet.Role {
	if a.Includes(b) {
		return b
	}
	return a
}

// common gives the tenants that both the token and its owner see; nil: all.
func common(t fleet.Token, u fleet.User) []fleet.Name {
	role := lesser(t.Role, u.Role)
	switch {
	case u.Role != fleet.RoleClient && len(t.Tenants) == 0:
		return sees(role, nil)
	case u.Role != fleet.RoleClient:
		return t.Tenants
	case len(t.Tenants) == 0:
		return sees(role, u.Tenants)
	}
	both := []fleet.Name{}
	for _, name := range t.Tenants {
		if slices.Contains(u.Tenants, name) {
			both = append(both, name)
		}
	}
	return both
}

// Tokens lists the tokens of an owner; all where it is empty.
func (s *Service) Tokens(ctx context.Context, owner string) ([]fleet.Token, error) {
	return s.store.Tokens(ctx, owner)
}

// DeleteToken ends a token: the caller's own, or, for an admin, anybody's. fleet.NotFound.
func (s *Service) DeleteToken(ctx context.Context, caller fleet.Caller, id string) error {
	owner := caller.User
	if caller.Role == fleet.RoleAdmin && !caller.Bound() {
		owner = ""
	}
	return s.store.DeleteToken(ctx, owner, id)
}
