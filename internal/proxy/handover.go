package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	// lingerFor is how long a connection without a request is kept after a hand-over. A client
	// that sends its next request within it is answered, and told to connect again; to close at
	// once would break off a request that is on the way.
	lingerFor = 10 * time.Second
	// packetsAfter is how long the requests of HTTP/3 have to end, after the longest that any of
	// them may be held. Meanwhile new connections of HTTP/3 find nobody: clients knock again, or
	// take TCP.
	packetsAfter = 5 * time.Second
	// goodbyeFor is for WebSockets to end after the others' time is over.
	goodbyeFor = 3 * time.Second
	// followEvery is how often the table that the other process saves is looked at.
	followEvery = 100 * time.Millisecond
)

// HandOver ends the server in favour of another process that listens on the same sockets
// already, and fails no request: what is being answered or held goes on, by the routes that the
// other process saves in Config.TableFile; connections are closed after their next answer. What
// is left when ctx ends is cut off as by Shutdown, WebSockets politely, and the error says so.
// packets is called once, when the HTTP/3 socket is not read any more. It takes the place of
// Shutdown.
func (s *Server) HandOver(ctx context.Context, packets func()) error {
	s.leaving.Store(true)
	s.endUpkeep()
	for _, ln := range []net.Listener{s.httpsLn, s.httpLn} {
		if ln != nil {
			_ = ln.Close() // this process's; the socket lives on in the other one
		}
	}
	// A connection that was accepted just now is counted, and known to http.Server.Shutdown, only
	// when the loops that accept have ended.
	s.accepting.Wait()
	s.work.Go(func() {
		defer packets()
		if s.http3 != nil {
			ctx, cancel := context.WithTimeout(ctx, s.cfg.Held.Wait+packetsAfter)
			defer cancel()
			s.http3.refuseNew(ctx)
			_ = s.http3.shutdown(ctx) // clients of what was cut off see it themselves
		}
	})
	s.work.Go(func() { s.follow(s.base) })
	s.linger(ctx)
	var left []error
	for _, srv := range []*http.Server{s.https, s.http} {
		left = append(left, srv.Shutdown(ctx))
	}
	left = append(left, s.upgrades.Drain(ctx))
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeFor)
	defer cancel()
	return errors.Join(errors.Join(left...), s.Shutdown(last))
}

// linger waits until no connection is open, or lingerFor.
func (s *Server) linger(ctx context.Context) {
	end := time.NewTimer(lingerFor)
	defer end.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for s.traffic.Connections() > 0 {
		select {
		case <-look.C:
		case <-end.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// follow publishes what another process saves as the table, until ctx ends.
func (s *Server) follow(ctx context.Context) {
	if s.cfg.TableFile == "" {
		return
	}
	var seen os.FileInfo
	look := time.NewTicker(followEvery)
	defer look.Stop()
	for {
		now, err := os.Stat(s.cfg.TableFile)
		if err == nil && (seen == nil || !os.SameFile(seen, now) || !seen.ModTime().Equal(now.ModTime())) {
			if t, err := LoadTable(s.cfg.TableFile); err == nil {
				seen = now
				s.router.Publish(t.Routes())
			}
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}
