package guard

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/lxdfleet/lxdfleet/internal/proxy/origin"
)

func networks(list ...string) origin.Prefixes {
	var all []netip.Prefix
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return origin.NewPrefixes(all)
}

// works asks once over a connection that stays open.
func works(t *testing.T, conn net.Conn) {
	t.Helper()
	say(t, conn, proper["GET"], 0)
	if code, _ := status(t, bufio.NewReader(conn)); code != 200 {
		t.Fatal(code)
	}
}

func TestMaxConns(t *testing.T) {
	s := serve(t, ListenerConfig{MaxConns: 2}, nil, nil)
	first, second := s.dial(), s.dial()
	works(t, first)
	works(t, second)
	if conn, err := net.Dial("tcp", s.addr); err == nil { // it may be reset before that returns
		ended(t, conn)
		_ = conn.Close()
	}
	eventually(t, "it was not counted", func() bool { return s.count(ReasonConnections) > 0 })
	if n := s.count(ReasonConnections); n != 1 {
		t.Errorf("%d were counted", n)
	}
	_ = first.Close()
	eventually(t, "the connection is still counted", func() bool { return s.conns.Open() == 1 })
	works(t, s.dial())
}

func TestMaxPerAddress(t *testing.T) {
	behind := ListenerConfig{MaxPerAddress: 1, ProxyProtocol: networks("127.0.0.0/8"), Trusted: networks("192.0.2.0/24")}
	for name, tc := range map[string]struct {
		cfg           ListenerConfig
		first, second string // addresses in PROXY headers; empty: none is sent
		want          bool   // the second gets in as well
	}{
		"one address":           {cfg: ListenerConfig{MaxPerAddress: 1}},
		"a trusted peer":        {cfg: ListenerConfig{MaxPerAddress: 1, Trusted: networks("127.0.0.1/32")}, want: true},
		"one behind a balancer": {cfg: behind, first: "198.51.100.1", second: "198.51.100.1"},
		"two behind a balancer": {cfg: behind, first: "198.51.100.1", second: "198.51.100.2", want: true},
		"one IPv6 network":      {cfg: behind, first: "2001:db8::1", second: "2001:db8::ffff:1"},
		"two IPv6 networks":     {cfg: behind, first: "2001:db8::1", second: "2001:db8:0:1::1", want: true},
		"trusted, behind one":   {cfg: behind, first: "192.0.2.1", second: "192.0.2.1", want: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tc.cfg, nil, nil)
			open := func(client string) net.Conn {
				conn, err := net.Dial("tcp", s.addr)
				if err != nil {
					return nil // reset before that returned
				}
				t.Cleanup(func() { _ = conn.Close() })
				if client != "" {
					say(t, conn, string(proxyHeader(t, 2, client)), 0)
				}
				return conn
			}
			first := open(tc.first)
			works(t, first)
			second := open(tc.second)
			if tc.want {
				works(t, second)
				return
			}
			if second != nil {
				ended(t, second)
			}
			eventually(t, "it was not counted", func() bool { return s.count(ReasonAddress) > 0 })
			if n := s.count(ReasonAddress); n != 1 {
				t.Errorf("%d were counted", n)
			}
			_ = first.Close()
			eventually(t, "the address is still counted", func() bool {
				s.conns.mu.Lock()
				defer s.conns.mu.Unlock()
				return len(s.conns.n) == 0
			})
			works(t, open(tc.second))
		})
	}
}

func proxyHeader(t *testing.T, version byte, client string) []byte {
	t.Helper()
	addr := netip.MustParseAddr(client)
	h := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 4711)),
		net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 443)))
	raw, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestProxyProtocol(t *testing.T) {
	balancer, secure := ListenerConfig{ProxyProtocol: networks("127.0.0.0/8")}, ListenerConfig{ProxyProtocol: networks("127.0.0.0/8"), TLS: certificate(t)}
	local := "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	for name, tc := range map[string]struct {
		cfg  ListenerConfig
		head string
		want string // in the answer; empty: the connection is closed
	}{
		"version 1":            {balancer, string(proxyHeader(t, 1, "198.51.100.1")), "from 198.51.100.1:4711"},
		"version 1 with IPv6":  {balancer, string(proxyHeader(t, 1, "2001:db8::1")), "from [2001:db8::1]:4711"},
		"version 2":            {balancer, string(proxyHeader(t, 2, "198.51.100.1")), "from 198.51.100.1:4711"},
		"the balancer itself":  {balancer, local, "from 127.0.0.1:"},
		"none":                 {balancer, "", ""},
		"an unknown client":    {balancer, "PROXY UNKNOWN\r\n", "from 127.0.0.1:"},
		"a broken one":         {balancer, "PROXY TCP4 300.1.1.1 1.1.1.1 1 2\r\n", ""},
		"one without end":      {balancer, "PROXY " + strings.Repeat("x", 4000), ""},
		"from somebody else":   {ListenerConfig{ProxyProtocol: networks("10.0.0.0/8")}, string(proxyHeader(t, 1, "6.6.6.6")), "400"},
		"nobody is configured": {ListenerConfig{}, string(proxyHeader(t, 1, "6.6.6.6")), "400"},
		"TLS":                  {secure, string(proxyHeader(t, 2, "198.51.100.1")), "from 198.51.100.1:4711"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tc.cfg, nil, nil)
			conn := s.dial()
			say(t, conn, tc.head, 0)
			if tc.cfg.TLS != nil {
				conn = tlsOver(t, conn)
			}
			say(t, conn, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n", 0)
			all, _ := io.ReadAll(conn) // a connection that is refused is reset
			if tc.want == "" && len(all) > 0 || !bytes.Contains(all, []byte(tc.want)) {
				t.Errorf("answer %q", all)
			}
			if n := s.count(ReasonProxyHeader); (n > 0) != (tc.want == "") {
				t.Errorf("%d were counted", n)
			}
		})
	}
	t.Run("slow", func(t *testing.T) {
		s := serve(t, ListenerConfig{ProxyProtocol: networks("127.0.0.0/8"), Header: 50 * time.Millisecond}, nil, nil)
		conn, other := s.dial(), s.dial()
		say(t, conn, "PROXY TCP4 ", 0)
		say(t, other, string(proxyHeader(t, 1, "198.51.100.1")), 0)
		works(t, other) // one waits for none
		ended(t, conn)
	})
}

// Hooks of the server are kept.
func TestAttachKeepsHooks(t *testing.T) {
	states := make(chan http.ConnState, 100)
	s := serve(t, ListenerConfig{}, nil, func(srv *http.Server) {
		srv.ConnState = func(_ net.Conn, state http.ConnState) { states <- state }
	})
	works(t, s.dial())
	for _, want := range []http.ConnState{http.StateNew, http.StateActive, http.StateIdle} {
		if got := <-states; got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}
