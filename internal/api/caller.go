package api

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	// cookieName: browsers take a cookie of such a name over HTTPS only, for this host and
	// all of its paths only, so that no other host can plant one.
	cookieName = "__Host-lxdfleet"
	csrfHeader = "X-CSRF-Token"
)

type localKey struct{}

// AsLocal gives a context of requests that a local user makes over the unix socket: an admin.
func AsLocal(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, localKey{}, name)
}

// connContext tells requests over the unix socket, and who has connected.
func connContext(ctx context.Context, conn net.Conn) context.Context {
	if unix, ok := conn.(*net.UnixConn); ok {
		return AsLocal(ctx, peerOf(unix))
	}
	return ctx
}

// peerOf names the user whose process is at the other end.
func peerOf(conn *net.UnixConn) string {
	raw, err := conn.SyscallConn()
	if err != nil {
		return "unknown"
	}
	var peer *syscall.Ucred
	if failed := raw.Control(func(fd uintptr) {
		peer, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); failed != nil || err != nil {
		return "unknown"
	}
	uid := strconv.FormatUint(uint64(peer.Uid), 10)
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return "uid " + uid
}

// identify tells who makes a request, by the socket it came on, its token or its cookie; one
// without any of them is nobody. fleet.Unauthenticated where the proof is not good.
func (s *Server) identify(r *http.Request) (fleet.Caller, error) {
	if name, ok := r.Context().Value(localKey{}).(string); ok {
		return fleet.Caller{Kind: fleet.CallerSocket, Name: name, Role: fleet.RoleAdmin}, nil
	}
	address := addressOf(r)
	if text := r.Header.Get("Authorization"); text != "" {
		scheme, token, _ := strings.Cut(text, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return nobody(address), fleet.Errorf(fleet.Unauthenticated, "the scheme %q is not taken", scheme).
				WithField("Authorization").WithHint("send Authorization: Bearer TOKEN")
		}
		return s.Accounts.ByToken(r.Context(), strings.TrimSpace(token), address)
	}
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return nobody(address), nil
	}
	return s.Accounts.BySession(r.Context(), cookie.Value, address)
}

func nobody(address string) fleet.Caller {
	return fleet.Caller{Kind: fleet.CallerNobody, Address: address}
}

func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// guard refuses what another site's page may have had the browser send: whatever changes
// something, and WebSockets, from a foreign origin; and with a session every change that does
// not carry the session's CSRF value.
func guard(r *http.Request, caller fleet.Caller) error {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if caller.Kind == fleet.CallerSocket || caller.Kind == fleet.CallerToken || reads && r.Header.Get("Upgrade") == "" {
		return nil
	}
	if foreign(r) {
		return fleet.Errorf(fleet.Forbidden, "the request comes from another site's page").WithField("Origin").
			WithHint("open the dashboard at this address itself, or use a token")
	}
	if caller.Kind != fleet.CallerSession || reads {
		return nil
	}
	cookie, err := r.Cookie(cookieName)
	if err != nil || !accounts.CheckCSRF(cookie.Value, r.Header.Get(csrfHeader)) {
		return fleet.Errorf(fleet.Forbidden, "the request does not carry the session's value").WithField(csrfHeader).
			WithHint("send the csrf of GET /v1/session in the header %s", csrfHeader)
	}
	return nil
}

func foreign(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Scheme != "https" && u.Hostname() != "localhost" || !strings.EqualFold(u.Host, r.Host)
}
