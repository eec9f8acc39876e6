package proxy

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/proxy/guard"
	_ "github.com/lxdfleet/lxdfleet/internal/proxy/xconnect" // WebSockets over HTTP/2
)

// statusLeft is logged and counted for a client that left before an answer began.
const statusLeft = 499

// handle is the handler of every HTTPS request.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	s.observe(w, r, func(rec *recorder, v *visit) {
		if v.host == "" && r.TLS != nil {
			v.host = canonicalHost(r.TLS.ServerName) // an HTTP/1.0 client need not send a Host
		}
		switch {
		case guard.Check(r) != nil:
			s.guard.refuse(guard.ReasonShape)
			pageRefused.show(rec, r)
		case r.TLS != nil && r.TLS.ServerName != "" && canonicalHost(r.TLS.ServerName) != v.host:
			pageMisdirected.show(rec, r)
		case r.Method == http.MethodConnect && !webSocket(r):
			pageNoConnect.show(rec, r)
		case r.Method == http.MethodConnect || r.Header.Get("Upgrade") != "":
			// Shutdown of the listeners knows nothing of a connection that was taken over.
			if s.upgrades.Enter(r.Context(), 0, time.Time{}) == nil {
				defer s.upgrades.Leave()
			}
			s.admit(rec, r, v)
		default:
			s.admit(rec, r, v)
		}
	})
}

// webSocket tells a CONNECT that opens a WebSocket (RFC 8441) from one that wants a tunnel.
func webSocket(r *http.Request) bool { return r.Header.Get(":protocol") == "websocket" }

// redirect is the handler of every plain HTTP request: known hosts are sent to HTTPS.
func (s *Server) redirect(w http.ResponseWriter, r *http.Request) {
	s.observe(w, r, func(rec *recorder, v *visit) {
		route, ok := s.router.Table().Lookup(v.host)
		if !ok || r.Method == http.MethodConnect {
			pageUnknown.show(rec, r)
			return
		}
		v.tenant = route.Tenant
		target := "https://" + v.host
		if s.publicPort != 443 {
			target += ":" + strconv.Itoa(s.publicPort)
		}
		path := r.URL.RequestURI()
		if !strings.HasPrefix(path, "/") {
			path = "/"
		}
		// 301 is understood by the oldest clients; 308 keeps the method and the body. Neither
		// is to be remembered for ever.
		status := http.StatusPermanentRedirect
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			status = http.StatusMovedPermanently
		}
		guard.Abandon(rec, r)
		rec.Header().Set("Cache-Control", "max-age=3600")
		rec.Header().Set("Location", target+path)
		rec.WriteHeader(status)
	})
}

// observe runs a request and counts and logs how it went, also when its answer broke off.
func (s *Server) observe(w http.ResponseWriter, r *http.Request, answer func(*recorder, *visit)) {
	rec := &recorder{ResponseWriter: w}
	v := &visit{host: canonicalHost(r.Host)}
	start := time.Now()
	whole := false
	defer func() {
		status := rec.status
		switch {
		case status != 0:
		case r.Context().Err() != nil:
			status = statusLeft
		default:
			status = http.StatusOK // what net/http sends where nothing was written
		}
		s.counters.add(v.tenant, status)
		if s.cfg.Access != nil {
			s.logAccess(r, v, status, rec.bytes, whole, time.Since(start))
		}
	}()
	answer(rec, v)
	whole = true
}

// logAccess writes one record. The query is left out: links to reset a password and the like
// carry secrets there.
func (s *Server) logAccess(r *http.Request, v *visit, status int, bytes int64, whole bool, took time.Duration) {
	s.cfg.Access.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("tenant", string(v.tenant)),
		slog.String("host", r.Host),
		slog.String("method", r.Method),
		slog.String("path", r.URL.Path),
		slog.String("proto", r.Proto),
		slog.Int("status", status),
		slog.Int64("bytes", bytes),
		slog.Duration("took", took),
		slog.Duration("held", v.held),
		slog.String("client", s.clientAddress(r)),
		slog.String("backend", v.backend),
		slog.Int("tries", v.tries),
		slog.Bool("whole", whole),
	)
}

func (s *Server) clientAddress(r *http.Request) string {
	if who := s.origin(r); who.Client.IsValid() {
		return who.Client.String()
	}
	return r.RemoteAddr
}
