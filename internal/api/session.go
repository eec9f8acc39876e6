package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Login begins a session.
func (s *Server) Login(ctx context.Context, r LoginRequestObject) (LoginResponseObject, error) {
	c := callOf(ctx)
	opened, err := s.Accounts.Login(ctx, accounts.Login{
		Name: r.Body.Name, Password: r.Body.Password, Code: r.Body.Code,
		Address: c.caller.Address, UserAgent: c.request.UserAgent(),
	})
	s.noteLogin(ctx, c, r.Body.Name, err)
	if err != nil {
		return nil, err
	}
	return Login200JSONResponse{SessionJSONResponse(s.opened(c, opened))}, nil
}

// noteLogin writes logins, and those that failed, into the audit log; not those that were not
// even looked at, of which there may be any number.
func (s *Server) noteLogin(ctx context.Context, c *call, name string, err error) {
	e := fleet.AuditEntry{Operation: c.access.operation, Status: http.StatusOK}
	switch fleet.CodeOf(err) {
	case "":
	case fleet.Unauthenticated:
		e.Status = http.StatusUnauthorized
	default:
		return
	}
	caller := c.caller
	if name, bad := fleet.ParseUserName(name); bad == nil {
		e.Subject = "user/" + name
		if err == nil {
			caller.Kind, caller.Name, caller.User = fleet.CallerSession, name, name
		}
	}
	if err := s.Accounts.Note(context.WithoutCancel(ctx), caller, e); err != nil {
		s.log.Error("a login could not be written into the audit log", "subject", e.Subject, "status", e.Status, "error", err)
	}
}

// opened sets the cookie of a session that has just begun.
func (s *Server) opened(c *call, o accounts.Opened) Session {
	setCookie(c, o.Secret)
	out := Session{
		Kind: SessionKindSession, User: o.User.Name, DisplayName: o.User.DisplayName, Role: Role(o.User.Role), Totp: o.User.TOTP,
		Csrf: accounts.CSRF(o.Secret), ExpiresAt: o.Session.ExpiresAt,
	}
	if o.User.Role == fleet.RoleClient {
		out.Tenants = &[]string{}
		*out.Tenants = append(*out.Tenants, namesOut(o.User.Tenants)...)
	}
	return out
}

// setCookie gives the browser the session's secret; empty: takes it away. Scripts of the page
// cannot read it, and pages of other sites cannot have it sent.
func setCookie(c *call, secret string) {
	cookie := &http.Cookie{Name: cookieName, Value: secret, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if secret == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(c.response, cookie)
}

// GetSession tells who makes the request.
func (s *Server) GetSession(ctx context.Context, _ GetSessionRequestObject) (GetSessionResponseObject, error) {
	c := callOf(ctx)
	out := Session{Kind: SessionKind(c.caller.Kind), User: c.caller.User, Role: Role(c.caller.Role), ExpiresAt: c.caller.Until}
	if c.caller.Bound() {
		names := namesOut(c.caller.Tenants)
		out.Tenants = &names
	}
	if c.caller.Kind == fleet.CallerSocket {
		out.User = c.caller.Name
		return GetSession200JSONResponse{SessionJSONResponse(out)}, nil
	}
	u, err := s.Accounts.User(ctx, c.caller.User)
	if err != nil {
		return nil, err
	}
	out.DisplayName, out.Totp = u.DisplayName, u.TOTP
	if cookie, err := c.request.Cookie(cookieName); err == nil && c.caller.Kind == fleet.CallerSession {
		out.Csrf = accounts.CSRF(cookie.Value)
	}
	return GetSession200JSONResponse{SessionJSONResponse(out)}, nil
}

// Logout ends the session.
func (s *Server) Logout(ctx context.Context, _ LogoutRequestObject) (LogoutResponseObject, error) {
	c, err := sessionOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.Accounts.Logout(ctx, c.caller); err != nil {
		return nil, err
	}
	setCookie(c, "")
	return Logout204Response{}, nil
}

// sessionOf gives the call of somebody who has logged in: tokens and local users have no
// session, and no password to change.
func sessionOf(ctx context.Context) (*call, error) {
	c := callOf(ctx)
	if c.caller.Kind != fleet.CallerSession {
		return nil, fleet.Errorf(fleet.Forbidden, "this is for those who have logged in").
			WithHint("log in with name and password: POST /v1/session")
	}
	return c, nil
}

// ChangePassword sets another password of the caller.
func (s *Server) ChangePassword(ctx context.Context, r ChangePasswordRequestObject) (ChangePasswordResponseObject, error) {
	out, err := s.renewed(ctx, func(caller fleet.Caller) error {
		return s.Accounts.ChangePassword(ctx, caller, r.Body.Old, r.Body.Password)
	})
	return ChangePassword200JSONResponse{SessionJSONResponse(out)}, err
}

// PlanTOTP makes a secret for one-time codes.
func (s *Server) PlanTOTP(ctx context.Context, _ PlanTOTPRequestObject) (PlanTOTPResponseObject, error) {
	c, err := sessionOf(ctx)
	if err != nil {
		return nil, err
	}
	secret, address, err := s.Accounts.PlanTOTP(c.caller)
	if err != nil {
		return nil, err
	}
	return PlanTOTP200JSONResponse{Secret: secret, Address: address}, nil
}

// SetTOTP asks for one-time codes from now on.
func (s *Server) SetTOTP(ctx context.Context, r SetTOTPRequestObject) (SetTOTPResponseObject, error) {
	out, err := s.renewed(ctx, func(caller fleet.Caller) error {
		return s.Accounts.SetTOTP(ctx, caller, r.Body.Password, r.Body.Secret, r.Body.Code)
	})
	return SetTOTP200JSONResponse{SessionJSONResponse(out)}, err
}

// RemoveTOTP asks for none any more.
func (s *Server) RemoveTOTP(ctx context.Context, r RemoveTOTPRequestObject) (RemoveTOTPResponseObject, error) {
	out, err := s.renewed(ctx, func(caller fleet.Caller) error {
		return s.Accounts.DropTOTP(ctx, caller, r.Body.Password)
	})
	return RemoveTOTP200JSONResponse{SessionJSONResponse(out)}, err
}

// renewed changes what the caller proves itself with, and gives it another session.
func (s *Server) renewed(ctx context.Context, change func(fleet.Caller) error) (Session, error) {
	c, err := sessionOf(ctx)
	if err != nil {
		return Session{}, err
	}
	if err := change(c.caller); err != nil {
		return Session{}, err
	}
	opened, err := s.Accounts.Renew(ctx, c.caller, accounts.Login{Address: c.caller.Address, UserAgent: c.request.UserAgent()})
	if err != nil {
		return Session{}, err
	}
	return s.opened(c, opened), nil
}

// ListSessions lists the caller's sessions.
func (s *Server) ListSessions(ctx context.Context, _ ListSessionsRequestObject) (ListSessionsResponseObject, error) {
	c := callOf(ctx)
	list, err := s.sessions(ctx, c.caller.User, c.caller.Session)
	return ListSessions200JSONResponse(list), err
}

func (s *Server) sessions(ctx context.Context, user, current string) (SessionList, error) {
	list := SessionList{Items: []LoginSession{}}
	if user == "" {
		return list, nil
	}
	found, err := s.Accounts.Sessions(ctx, user)
	for _, v := range found {
		list.Items = append(list.Items, LoginSession{
			Id: v.ID, User: v.User, CreatedAt: v.CreatedAt, SeenAt: v.SeenAt, ExpiresAt: v.ExpiresAt, Address: v.Address,
			UserAgent: v.UserAgent, Current: v.ID == current,
		})
	}
	return list, err
}

// GetLoginSession gives one of the caller's sessions.
func (s *Server) GetLoginSession(ctx context.Context, r GetLoginSessionRequestObject) (GetLoginSessionResponseObject, error) {
	v, err := s.loginSession(ctx, r.Id)
	return GetLoginSession200JSONResponse(v), err
}

func (s *Server) loginSession(ctx context.Context, id string) (LoginSession, error) {
	caller := callerIn(ctx)
	list, err := s.sessions(ctx, caller.User, caller.Session)
	if err != nil {
		return LoginSession{}, err
	}
	i := slices.IndexFunc(list.Items, func(v LoginSession) bool { return v.Id == id })
	if i < 0 {
		return LoginSession{}, fleet.Errorf(fleet.NotFound, "you have no session %s", id).WithHint("GET /v1/sessions lists them")
	}
	return list.Items[i], nil
}

// EndSession ends one of the caller's sessions.
func (s *Server) EndSession(ctx context.Context, r EndSessionRequestObject) (EndSessionResponseObject, error) {
	if err := s.Accounts.EndSession(ctx, callerOf(ctx).User, r.Id); err != nil {
		return nil, err
	}
	return EndSession204Response{}, nil
}

// CheckLink tells whose one-time link it is.
func (s *Server) CheckLink(ctx context.Context, r CheckLinkRequestObject) (CheckLinkResponseObject, error) {
	u, err := s.Accounts.LinkUser(ctx, r.Body.Secret)
	if err != nil {
		return nil, err
	}
	return CheckLink200JSONResponse{User: u.Name, DisplayName: u.DisplayName, Totp: u.TOTP}, nil
}

// UseLink sets a password by a one-time link.
func (s *Server) UseLink(ctx context.Context, r UseLinkRequestObject) (UseLinkResponseObject, error) {
	u, err := s.Accounts.UseLink(ctx, r.Body.Secret, r.Body.Password)
	if err != nil {
		return nil, err
	}
	c := callOf(ctx)
	c.subject, c.user = "user/"+u.Name, u.Name
	return UseLink200JSONResponse{User: u.Name, DisplayName: u.DisplayName, Totp: u.TOTP}, nil
}

// link is the address a one-time link's secret is given in: after the #, which browsers send
// to nobody.
func (s *Server) link(secret string) string { return s.Address + "/welcome#" + secret }

func namesOut(names []fleet.Name) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n.String()
	}
	return out
}

func namesIn(field string, names []string) ([]fleet.Name, error) {
	out := make([]fleet.Name, len(names))
	for i, text := range names {
		name, err := fleet.ParseName(text)
		if err != nil {
			return nil, fleet.Errorf(fleet.Invalid, "%q is not a tenant name", text).WithField(field).WithHint("see them with: lxdfleet tenant list")
		}
		out[i] = name
	}
	return out, nil
}
