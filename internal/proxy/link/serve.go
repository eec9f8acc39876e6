package link

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// mostBody is the largest message but for the stream's: a value of the certificate storage.
const mostBody = 4 << 20

// Serve answers proxies on ln until ctx ends, then cuts them off and returns nil.
func (h *Hub) Serve(ctx context.Context, ln net.Listener) error {
	if err := h.open(); err != nil {
		return err
	}
	srv := &http.Server{
		Handler: h.handler(), TLSConfig: h.tls(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelDebug), // strangers' handshakes
		HTTP2: &http.HTTP2Config{SendPingTimeout: h.cfg.Lease / 2, PingTimeout: h.cfg.Lease / 2},
	}
	srv.Protocols = new(http.Protocols)
	srv.Protocols.SetHTTP2(true) // both directions of a stream at the same time
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		h.Close() // ends the streams
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if srv.Shutdown(within) != nil {
			_ = srv.Close() // what is left is cut off
		}
	})
	err := srv.ServeTLS(ln, "", "")
	if stop() {
		_ = srv.Close() // the listener has failed, and nothing is served any more
	} else {
		<-closed
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the proxies: %w", err)
	}
	return nil
}

func (h *Hub) tls() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"},
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: h.authority.pool(),
		Time:                   h.cfg.Now,
		SessionTicketsDisabled: true, // every connection shows its certificate
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return h.certificate() },
	}
}

// certificate gives the controller's own, made anew ahead of its end.
func (h *Hub) certificate() (*tls.Certificate, error) {
	h.certMu.Lock()
	defer h.certMu.Unlock()
	now := h.cfg.Now()
	if h.cert == nil || due(h.cert.Leaf, now) {
		cert, err := h.authority.forController(now)
		if err != nil {
			return nil, err
		}
		h.cert = cert
	}
	return h.cert, nil
}

func (h *Hub) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathJoin, h.join)
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request, fleet.Proxy){
		"POST " + pathFollow:   h.follow,
		"POST " + pathRenew:    h.renew,
		"GET " + pathSettings:  h.settings,
		"GET " + pathValue:     h.loadValue,
		"PUT " + pathValue:     h.storeValue,
		"DELETE " + pathValue:  h.deleteValue,
		"GET " + pathStat:      h.statValue,
		"GET " + pathList:      h.listValues,
		"POST " + pathLock:     h.takeLock,
		"POST " + pathKeepLock: h.keepLock,
		"POST " + pathUnlock:   h.giveLock,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			p, err := h.caller(r)
			if err != nil {
				answerError(w, err)
				return
			}
			serve(w, r, p)
		})
	}
	return mux
}

// Paths of the requests.
const (
	pathJoin     = "/v1/join"
	pathFollow   = "/v1/follow"
	pathRenew    = "/v1/renew"
	pathSettings = "/v1/settings"
	pathValue    = "/v1/certificates/value"
	pathStat     = "/v1/certificates/stat"
	pathList     = "/v1/certificates/list"
	pathLock     = "/v1/certificates/lock"
	pathKeepLock = "/v1/certificates/keep"
	pathUnlock   = "/v1/certificates/unlock"
)

// caller gives the proxy a request comes from. Its certificate was verified in the handshake;
// that it is still one of the fleet's is looked up for every request.
func (h *Hub) caller(r *http.Request) (fleet.Proxy, error) {
	if len(r.TLS.PeerCertificates) == 0 {
		return fleet.Proxy{}, fleet.Errorf(fleet.Forbidden, "this is for proxies that have joined").
			WithHint("get a token with `lxdfleet proxy token` and start the proxy with --token")
	}
	subject := r.TLS.PeerCertificates[0].Subject
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.members[subject.CommonName]
	if m == nil || m.ID != subject.SerialNumber {
		return fleet.Proxy{}, errUnknownProxy(subject.CommonName)
	}
	p := m.Proxy
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		p.Address = host
	}
	return p, nil
}

func errUnknownProxy(name string) error {
	return fleet.Errorf(fleet.Forbidden, "proxy %s is not one of this fleet's, or not any more", name).
		WithHint("to have it join again, get a token with `lxdfleet proxy token` and start the proxy with --token")
}

// problem is how an error goes over the wire.
type problem struct {
	Code    fleet.Code `json:"code"`
	Field   string     `json:"field,omitempty"`
	Message string     `json:"message"`
	Hint    string     `json:"hint,omitempty"`
}

// codeMissing stands for fs.ErrNotExist.
const codeMissing fleet.Code = "missing"

func answerError(w http.ResponseWriter, err error) {
	p := problem{Code: fleet.CodeOf(err), Message: err.Error()}
	if e, ok := errors.AsType[*fleet.Error](err); ok {
		p.Field, p.Message, p.Hint = e.Field, e.Message, e.Hint
	}
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Code, status = codeMissing, http.StatusNotFound
	case p.Code == fleet.Forbidden:
		status = http.StatusForbidden
	case p.Code == fleet.Taken, p.Code == fleet.Conflict, p.Code == fleet.Busy:
		status = http.StatusConflict
	case p.Code == fleet.Internal, p.Code == fleet.Unavailable:
		status = http.StatusServiceUnavailable
	}
	answer(w, status, p)
}

// answer writes v as JSON. That it cannot be written is the client's to notice.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// whole reads a small body, from a client that may not take for ever.
func whole(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(callTime)); err != nil {
		return nil, fmt.Errorf("set a deadline: %w", err)
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
}

// body reads a small JSON message.
func body(w http.ResponseWriter, r *http.Request, v any) error {
	data, err := whole(w, r)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return fleet.Errorf(fleet.Invalid, "the request cannot be read: %w", err)
	}
	return nil
}

func (h *Hub) settings(w http.ResponseWriter, _ *http.Request, _ fleet.Proxy) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(h.cfg.Settings)
}
