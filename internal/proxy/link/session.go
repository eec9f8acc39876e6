package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// session is one connection of a proxy.
type session struct {
	hub    *Hub
	proxy  fleet.Proxy
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{} // closed when it is over
	asked  chan []byte   // lines besides the state's
	rc     *http.ResponseController
	w      http.ResponseWriter
}

// follow serves the stream of a proxy until either side ends it.
func (h *Hub) follow(w http.ResponseWriter, r *http.Request, p fleet.Proxy) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s := &session{
		hub: h, proxy: p, ctx: ctx, cancel: cancel, ended: make(chan struct{}), asked: make(chan []byte, 64),
		rc: http.NewResponseController(w), w: w,
	}
	defer close(s.ended)
	defer context.AfterFunc(h.base, cancel)()
	in := newLines(r.Body, longestUp)
	if err := s.greet(in); err != nil {
		answerError(w, err)
		return
	}
	if !h.enter(s) {
		answerError(w, errUnknownProxy(p.Name))
		return
	}
	h.log.Info("proxy connected", "proxy", p.Name, "address", s.proxy.Address, "version", s.proxy.Version)
	h.save(s.proxy)
	var reading error
	read := make(chan struct{})
	go func() { // ends with the deadline set below, or when the handler's body is closed
		defer close(read)
		defer cancel()
		reading = s.read(in)
	}()
	writing := s.write()
	cancel()
	_ = s.rc.SetReadDeadline(time.Unix(1, 0)) // wakes the reader; where it cannot, the body's end does
	<-read
	h.leave(s)
	h.log.Info("proxy disconnected", "proxy", p.Name, "reason", firstReason(reading, writing))
	h.save(s.proxy)
}

func firstReason(errs ...error) string {
	for _, err := range errs {
		switch {
		case err == nil, errors.Is(err, context.Canceled):
		case errors.Is(err, errBye):
			return "it has stopped"
		default:
			return err.Error()
		}
	}
	return "the connection was closed"
}

var errBye = errors.New("the proxy stops")

// greet reads the first message.
func (s *session) greet(in lines) error {
	_ = s.rc.SetReadDeadline(time.Now().Add(s.hub.cfg.Lease))
	var first up
	if err := in.next(&first); err != nil {
		return fleet.Errorf(fleet.Invalid, "the stream does not begin as it should: %w", err)
	}
	if first.Hello == nil || first.Hello.Protocol != protocol {
		return fleet.Errorf(fleet.Unsupported, "this controller speaks version %d of the protocol, the proxy another", protocol).
			WithHint("run the same version of lxdfleet on both")
	}
	s.proxy.Version = first.Hello.Version
	return nil
}

// enter makes s the session of its proxy; an older one is cut off. False where the proxy was
// removed or the hub is closed.
func (h *Hub) enter(s *session) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.members[s.proxy.Name]
	if m == nil || m.ID != s.proxy.ID || h.closed {
		return false
	}
	if m.session != nil {
		m.session.cancel()
	}
	now := time.Now()
	m.session, m.seen, m.since, m.contact = s, 0, now, now
	m.Version, m.Address, m.SeenAt = s.proxy.Version, s.proxy.Address, h.cfg.Now()
	s.proxy = m.Proxy
	h.work.Add(1)
	h.stir()
	return true
}

// leave ends what enter began.
func (h *Hub) leave(s *session) {
	defer h.work.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	s.proxy.SeenAt = h.cfg.Now()
	if m := h.members[s.proxy.Name]; m != nil && m.session == s {
		m.session, m.since, m.SeenAt = nil, time.Now(), s.proxy.SeenAt
	}
	h.stir()
}

// save notes in the records that a proxy came or went; it is no matter if it cannot.
func (h *Hub) save(p fleet.Proxy) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := h.cfg.Records.SaveProxySeen(ctx, p); err != nil {
		h.log.Debug("when a proxy was seen cannot be noted", "proxy", p.Name, "error", err)
	}
}

// read takes the proxy's messages until it is silent for the lease.
func (s *session) read(in lines) error {
	for {
		if err := s.rc.SetReadDeadline(time.Now().Add(s.hub.cfg.Lease)); err != nil {
			return fmt.Errorf("set a deadline: %w", err)
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
		var m up
		if err := in.next(&m); err != nil {
			if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
				return fmt.Errorf("it was silent for %s", s.hub.cfg.Lease)
			}
			return err
		}
		if !s.heard(m) {
			return errBye
		}
	}
}

// heard takes one message. False where the proxy says goodbye.
func (s *session) heard(m up) bool {
	h := s.hub
	if name, err := fleet.ParseName(string(m.Observe)); err == nil {
		h.cfg.Observe(name)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	mine := h.members[s.proxy.Name]
	if mine == nil || mine.session != s {
		return true // cut off already
	}
	mine.contact = time.Now()
	if m.Bye {
		mine.contact = time.Time{} // nobody has to wait for it
	}
	if m.Seen > mine.seen && m.Seen <= h.generation {
		mine.seen = m.Seen
		h.stir()
	}
	if answered := h.drains[m.Drained]; answered != nil {
		select {
		case answered <- s.proxy.Name:
		default: // it says so again and again
		}
	}
	return !m.Bye
}

// ask sends a line besides the state's. A proxy that reads too slowly is cut off.
func (s *session) ask(line []byte) {
	select {
	case s.asked <- line:
	default:
		s.cancel()
	}
}

// write sends the state, then each change as it comes, and beats.
func (s *session) write() error {
	s.w.Header().Set("Content-Type", "application/x-ndjson")
	s.w.WriteHeader(http.StatusOK)
	beat := time.NewTicker(s.hub.cfg.Lease / 5)
	defer beat.Stop()
	if err := s.send(nil); err != nil {
		return err
	}
	at := int64(-1)
	for {
		s.hub.mu.Lock()
		moved := s.hub.moved
		s.hub.mu.Unlock()
		out, to, err := s.hub.pending(at)
		if err == nil {
			err = s.send(out)
		}
		if err != nil {
			return err
		}
		at = to
		select {
		case <-moved:
		case line := <-s.asked:
			err = s.send([][]byte{line})
		case <-beat.C:
			err = s.beat(at)
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// beat says which generation was sent last, so that a proxy that missed one can tell.
func (s *session) beat(at int64) error {
	line, err := encode(down{Kind: kindBeat, Generation: max(at, 0)})
	if err != nil {
		return err
	}
	return s.send([][]byte{line})
}

func (s *session) send(out [][]byte) error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(s.hub.cfg.Lease)); err != nil {
		return fmt.Errorf("set a deadline: %w", err)
	}
	for _, line := range out {
		if _, err := s.w.Write(line); err != nil {
			return fmt.Errorf("send to the proxy: %w", err)
		}
	}
	if err := s.rc.Flush(); err != nil {
		return fmt.Errorf("send to the proxy: %w", err)
	}
	return nil
}
