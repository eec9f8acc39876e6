package proxy

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/proxy/accesslog"
	"github.com/lxdfleet/lxdfleet/internal/proxy/guard"
	_ "github.com/lxdfleet/lxdfleet/internal/proxy/xconnect" // WebSockets over HTTP/2
)

// statusLeft is logged and counted for a client that left before an answer began.
const statusLeft = 499

// handle is the handler of every HTTPS request.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	s.observe(w, r, func(rec *recorder, v *visit) {
		if s.altSvc != nil && r.ProtoMajor < 3 {
			rec.Header()["Alt-Svc"] = s.altSvc
		}
		r := rec.counting(r)
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
			v.lasting = true
			if s.upgrades.Enter(r.Context(), 0, time.Time{}) == nil {
				defer s.upgrades.Leave()
			}
			s.admit(rec, r, v)
		default:
			s.admit(rec, r, v)
		}
	})
}

// webSocket tells a CONNECT that opens a WebSocket (RFC 8441, RFC 9220) from one that wants a tunnel.
func webSocket(r *http.Request) bool {
	if r.ProtoMajor == 3 {
		return r.Proto == "websocket" // RFC 9220, as quic-go tells it
	}
	return r.Header.Get(":protocol") == "websocket"
}

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
	rec := &recorder{ResponseWriter: w, start: time.Now(), traffic: s.traffic, brand: &s.cfg.Brand}
	v := &rec.visit
	v.host = canonicalHost(r.Host)
	if s.cfg.Access != nil {
		v.id = s.forward.Identify(r)
	}
	whole := false
	s.dismiss(rec, r)
	defer func() {
		took := time.Since(rec.start)
		if rec.status == 0 {
			rec.status = http.StatusOK // what net/http sends where nothing was written
			if r.Context().Err() != nil {
				rec.status = statusLeft
			}
		}
		rec.count(r, took)
		if s.cfg.Access != nil {
			s.logAccess(r, rec, whole, took)
		}
	}()
	answer(rec, v)
	whole = true
}

// dismiss tells a client to come back on a new connection, which will be another process's.
func (s *Server) dismiss(w http.ResponseWriter, r *http.Request) {
	if s.leaving.Load() && r.ProtoMajor < 3 && r.Method != http.MethodConnect && r.Header.Get("Upgrade") == "" {
		w.Header().Set("Connection", "close") // for HTTP/2 net/http makes it a GOAWAY
	}
}

// logAccess writes one record. The query is left out: links to reset a password and the like
// carry secrets there.
func (s *Server) logAccess(r *http.Request, rec *recorder, whole bool, took time.Duration) {
	v := &rec.visit
	s.cfg.Access.Record(&accesslog.Entry{
		Time: rec.start, Tenant: v.tenant, Host: r.Host, Method: r.Method, Path: r.URL.Path, Proto: r.Proto,
		Status: rec.status, In: rec.body.n.Load(), Out: rec.bytes, Took: took, FirstByte: rec.first, Held: v.held,
		Client: s.clientAddress(r), Backend: v.backend, Tries: v.tries, Whole: whole, RequestID: v.id,
	})
}

// clientAddress is who sent r, for the access log.
func (s *Server) clientAddress(r *http.Request) string {
	if who := s.origin(r); who.Client.IsValid() {
		return who.Client.String()
	}
	return r.RemoteAddr
}
