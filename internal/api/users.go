package api

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ListUsers lists the users.
func (s *Server) ListUsers(ctx context.Context, _ ListUsersRequestObject) (ListUsersResponseObject, error) {
	users, err := s.Accounts.Users(ctx)
	if err != nil {
		return nil, err
	}
	list := UserList{Items: make([]User, len(users))}
	for i, u := range users {
		list.Items[i] = userOut(u)
	}
	return ListUsers200JSONResponse(list), nil
}

// GetUser gives one user.
func (s *Server) GetUser(ctx context.Context, r GetUserRequestObject) (GetUserResponseObject, error) {
	u, err := s.Accounts.User(ctx, r.User)
	if err != nil {
		return nil, err
	}
	return GetUser200JSONResponse(userOut(u)), nil
}

// CreateUser adds a user, and makes the link by which it sets a password.
func (s *Server) CreateUser(ctx context.Context, r CreateUserRequestObject) (CreateUserResponseObject, error) {
	names, err := namesIn("tenants", r.Body.Tenants)
	if err != nil {
		return nil, err
	}
	u, err := s.Accounts.CreateUser(ctx, fleet.User{
		Name: r.Body.Name, DisplayName: r.Body.DisplayName, Role: fleet.Role(r.Body.Role), Tenants: names,
	}, r.Body.Subject)
	if err != nil {
		return nil, err
	}
	callOf(ctx).subject = "user/" + u.Name
	secret, until, err := s.Accounts.Link(ctx, u.Name)
	if err != nil {
		return nil, err
	}
	return CreateUser201JSONResponse{User: userOut(u), Link: s.link(secret), ExpiresAt: until}, nil
}

// EditUser changes a user.
func (s *Server) EditUser(ctx context.Context, r EditUserRequestObject) (EditUserResponseObject, error) {
	edit := accounts.UserEdit{DisplayName: r.Body.DisplayName, Disabled: r.Body.Disabled, Subject: r.Body.Subject}
	if r.Body.Role != nil {
		role := fleet.Role(*r.Body.Role)
		edit.Role = &role
	}
	if r.Body.Tenants != nil {
		names, err := namesIn("tenants", *r.Body.Tenants)
		if err != nil {
			return nil, err
		}
		edit.Tenants = &names
	}
	_, u, err := s.Accounts.EditUser(ctx, r.User, edit, 0)
	if err != nil {
		return nil, err
	}
	return EditUser200JSONResponse(userOut(u)), nil
}

// DeleteUser removes a user.
func (s *Server) DeleteUser(ctx context.Context, r DeleteUserRequestObject) (DeleteUserResponseObject, error) {
	if err := s.Accounts.DeleteUser(ctx, r.User); err != nil {
		return nil, err
	}
	return DeleteUser204Response{}, nil
}

// CreateLink makes a one-time link for a user.
func (s *Server) CreateLink(ctx context.Context, r CreateLinkRequestObject) (CreateLinkResponseObject, error) {
	secret, until, err := s.Accounts.Link(ctx, r.User)
	if err != nil {
		return nil, err
	}
	return CreateLink201JSONResponse{Link: s.link(secret), ExpiresAt: until}, nil
}

// ClearTOTP ends a user's one-time codes.
func (s *Server) ClearTOTP(ctx context.Context, r ClearTOTPRequestObject) (ClearTOTPResponseObject, error) {
	if err := s.Accounts.ClearTOTP(ctx, r.User); err != nil {
		return nil, err
	}
	return ClearTOTP204Response{}, nil
}

// ListUserSessions lists a user's sessions.
func (s *Server) ListUserSessions(ctx context.Context, r ListUserSessionsRequestObject) (ListUserSessionsResponseObject, error) {
	if _, err := s.Accounts.User(ctx, r.User); err != nil {
		return nil, err
	}
	list, err := s.sessions(ctx, r.User, callerOf(ctx).Session)
	return ListUserSessions200JSONResponse(list), err
}

// EndUserSessions ends all of a user's sessions.
func (s *Server) EndUserSessions(ctx context.Context, r EndUserSessionsRequestObject) (EndUserSessionsResponseObject, error) {
	if err := s.Accounts.EndSessions(ctx, r.User); err != nil {
		return nil, err
	}
	return EndUserSessions204Response{}, nil
}

func userOut(u fleet.User) User {
	return User{
		Name: u.Name, DisplayName: u.DisplayName, Role: Role(u.Role), Tenants: namesOut(u.Tenants), Disabled: u.Disabled, Totp: u.TOTP, Subject: u.Subject,
		CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt, LastSeenAt: u.LastSeenAt, Revision: u.Revision,
	}
}
