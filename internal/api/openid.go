package api

import (
	"context"
	"net/http"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	// tripName is the cookie of a login that is on its way. It comes back from another site, the
	// provider, and is therefore not as strict as the session's; it opens nothing by itself.
	tripName = "__Host-lxdfleet-login"
	tripAge  = 600 // seconds

	dashboard = "/ui/"
)

// GetLogin tells how people log in.
func (s *Server) GetLogin(context.Context, GetLoginRequestObject) (GetLoginResponseObject, error) {
	var out GetLogin200JSONResponse
	if s.OpenID != nil {
		out.Openid.Name, out.Openid.Address = s.OpenID.Name(), s.Address+"/v1/login/openid"
	}
	return out, nil
}

// BeginOpenID leads a browser to the provider.
func (s *Server) BeginOpenID(ctx context.Context, _ BeginOpenIDRequestObject) (BeginOpenIDResponseObject, error) {
	if s.OpenID == nil {
		return nil, noOpenID()
	}
	address, kept, err := s.OpenID.Begin(ctx)
	if err != nil {
		s.log.Warn("the OpenID provider cannot be asked", "error", err)
		return BeginOpenID303Response{Headers: BeginOpenID303ResponseHeaders{Location: lost(err)}}, nil
	}
	setTrip(callOf(ctx), kept)
	return BeginOpenID303Response{Headers: BeginOpenID303ResponseHeaders{Location: address}}, nil
}

// FinishOpenID begins the session of somebody who comes back from the provider.
func (s *Server) FinishOpenID(ctx context.Context, _ FinishOpenIDRequestObject) (FinishOpenIDResponseObject, error) {
	if s.OpenID == nil {
		return nil, noOpenID()
	}
	c := callOf(ctx)
	kept := ""
	if cookie, err := c.request.Cookie(tripName); err == nil {
		kept = cookie.Value
	}
	setTrip(c, "") // one try
	var who fleet.Identity
	opened, err := s.Accounts.LoginByOpenID(ctx, accounts.Login{Address: c.caller.Address, UserAgent: c.request.UserAgent()},
		func(ctx context.Context) (found fleet.Identity, err error) {
			who, err = s.OpenID.Finish(ctx, kept, c.request.URL.Query())
			return who, err
		})
	s.noteOpenID(ctx, c, opened.User.Name, err)
	to := dashboard
	if err != nil {
		s.log.Warn("a login by OpenID failed", "address", c.caller.Address, "identity", who.Key(), "error", err)
		to = lost(err)
	} else {
		setCookie(c, opened.Secret)
	}
	return FinishOpenID303Response{Headers: FinishOpenID303ResponseHeaders{Location: to}}, nil
}

// noteOpenID writes logins by the provider into the audit log; of those that failed, the ones
// of somebody whom the provider knows: anybody can send the rest.
func (s *Server) noteOpenID(ctx context.Context, c *call, user string, err error) {
	e, caller := fleet.AuditEntry{Operation: c.access.operation, Status: http.StatusOK}, c.caller
	switch {
	case err == nil:
		e.Subject = "user/" + user
		caller.Kind, caller.Name, caller.User = fleet.CallerSession, user, user
	case fleet.CodeOf(err) == fleet.Forbidden:
		e.Status = http.StatusForbidden
	default:
		return
	}
	if err := s.Accounts.Note(context.WithoutCancel(ctx), caller, e); err != nil {
		s.log.Error("a login could not be written into the audit log", "subject", e.Subject, "status", e.Status, "error", err)
	}
}

// lost is where a browser goes whose login failed. It tells no more than people have to know:
// the reason is in the daemon's log.
func lost(err error) string {
	why := "unavailable"
	switch fleet.CodeOf(err) {
	case fleet.Forbidden:
		why = "refused"
	case fleet.Unauthenticated:
		why = "failed"
	case fleet.Exhausted:
		why = "wait"
	}
	return dashboard + "?login=" + why
}

func noOpenID() error {
	return fleet.Errorf(fleet.NotFound, "there is no OpenID provider").WithHint("log in with name and password, or set api.oidc in the configuration file")
}

// setTrip has the browser keep a login that is on its way; empty: keep it no longer.
func setTrip(c *call, kept string) {
	cookie := &http.Cookie{
		Name: tripName, Value: kept, Path: "/", MaxAge: tripAge, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if kept == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(c.response, cookie)
}
