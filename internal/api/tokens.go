package api

import (
	"context"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ListTokens lists the caller's tokens; everybody's for an admin.
func (s *Server) ListTokens(ctx context.Context, _ ListTokensRequestObject) (ListTokensResponseObject, error) {
	tokens, err := s.tokensOf(ctx, callerOf(ctx))
	if err != nil {
		return nil, err
	}
	list := TokenList{Items: make([]Token, len(tokens))}
	for i, t := range tokens {
		list.Items[i] = tokenOut(t)
	}
	return ListTokens200JSONResponse(list), nil
}

// tokensOf lists the tokens that a caller may see and end.
func (s *Server) tokensOf(ctx context.Context, caller fleet.Caller) ([]fleet.Token, error) {
	if caller.Role == fleet.RoleAdmin && !caller.Bound() {
		return s.Accounts.Tokens(ctx, "")
	}
	if caller.User == "" {
		return nil, nil
	}
	return s.Accounts.Tokens(ctx, caller.User)
}

// GetToken gives one of the caller's tokens.
func (s *Server) GetToken(ctx context.Context, r GetTokenRequestObject) (GetTokenResponseObject, error) {
	t, err := s.token(ctx, r.Id)
	return GetToken200JSONResponse(t), err
}

// token gives one of those that the caller may see.
func (s *Server) token(ctx context.Context, id string) (Token, error) {
	tokens, err := s.tokensOf(ctx, callerIn(ctx))
	if err != nil {
		return Token{}, err
	}
	i := slices.IndexFunc(tokens, func(t fleet.Token) bool { return t.ID == id })
	if i < 0 {
		return Token{}, fleet.Errorf(fleet.NotFound, "there is no token %s", id).WithHint("lxdfleet token list shows them")
	}
	return tokenOut(tokens[i]), nil
}

// CreateToken makes a token.
func (s *Server) CreateToken(ctx context.Context, r CreateTokenRequestObject) (CreateTokenResponseObject, error) {
	names, err := namesIn("tenants", r.Body.Tenants)
	if err != nil {
		return nil, err
	}
	span, err := parseTimeout("expires_in", r.Body.ExpiresIn)
	if err != nil {
		return nil, err
	}
	owner, err := s.tokenOwner(ctx, r.Body.User)
	if err != nil {
		return nil, err
	}
	t, text, err := s.Accounts.CreateToken(ctx, owner, accounts.TokenRequest{
		Name: r.Body.Name, Role: fleet.Role(r.Body.Role), Tenants: names, For: span,
	})
	if err != nil {
		return nil, err
	}
	callOf(ctx).subject = "token/" + t.ID
	return CreateToken201JSONResponse{Token: tokenOut(t), Secret: text}, nil
}

// tokenOwner gives the one a token is made for: the caller, or whom an admin names.
func (s *Server) tokenOwner(ctx context.Context, name string) (fleet.Caller, error) {
	caller := callerOf(ctx)
	if name == "" || name == caller.User {
		return caller, nil
	}
	if caller.Role != fleet.RoleAdmin || caller.Bound() {
		return caller, fleet.Errorf(fleet.Forbidden, "only an admin makes tokens for others").WithField("user").WithHint("leave user out")
	}
	u, err := s.Accounts.User(ctx, name)
	if err != nil {
		return caller, err
	}
	owner := fleet.Caller{Kind: fleet.CallerSession, Name: u.Name, User: u.Name, Role: u.Role}
	if u.Role == fleet.RoleClient {
		owner.Tenants = u.Tenants
	}
	return owner, nil
}

// DeleteToken ends a token.
func (s *Server) DeleteToken(ctx context.Context, r DeleteTokenRequestObject) (DeleteTokenResponseObject, error) {
	if err := s.Accounts.DeleteToken(ctx, callerOf(ctx), r.Id); err != nil {
		return nil, err
	}
	return DeleteToken204Response{}, nil
}

func tokenOut(t fleet.Token) Token {
	return Token{
		Id: t.ID, Name: t.Name, Owner: t.Owner, Role: Role(t.Role), Tenants: namesOut(t.Tenants), CreatedAt: t.CreatedAt,
		ExpiresAt: t.ExpiresAt, LastUsedAt: t.LastUsedAt, LastUsedBy: t.LastUsedBy,
	}
}
