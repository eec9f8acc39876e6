package guard

import (
	"bufio"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
)

// wire is the network connection below TLS. Where a PROXY header is awaited it is read first,
// and is where the client's address comes from.
type wire struct {
	net.Conn
	awaited bool // a PROXY header comes first
	limit   time.Duration

	once   sync.Once
	err    error         // of the header
	rest   *bufio.Reader // what was read beyond it; nil: nothing
	remote net.Addr      // nil: the connection's own
	local  net.Addr
	health bool // the peer speaks for itself, as balancers do to see whether anybody is here
}

// header reads the PROXY header where one is awaited. It may be called at any time; the first
// call waits for it.
func (w *wire) header() error {
	if w.awaited {
		w.once.Do(w.readHeader)
	}
	return w.err
}

// headerBuffer has room for a header with all the extensions that balancers send.
const headerBuffer = 2 << 10

func (w *wire) readHeader() {
	deadline := time.Now().Add(w.limit)
	_ = w.SetReadDeadline(deadline) // an error shows in the read
	r := bufio.NewReaderSize(w.Conn, headerBuffer)
	h, err := proxyproto.Read(r)
	_ = w.SetReadDeadline(time.Time{})
	switch {
	case err != nil:
		w.err = fmt.Errorf("read the PROXY header: %w", err)
		return
	case h.Command.IsLocal():
		w.health = true
	case !addrOf(h.SourceAddr).IsValid() || addrOf(h.SourceAddr).IsUnspecified():
		w.err = fmt.Errorf("read the PROXY header: %v is no client's address", h.SourceAddr)
		return
	default:
		w.remote, w.local = h.SourceAddr, h.DestinationAddr
	}
	if r.Buffered() > 0 {
		w.rest = r
	}
}

func (w *wire) Read(p []byte) (int, error) {
	if w.rest != nil {
		n, err := w.rest.Read(p) // from the buffer only
		if w.rest.Buffered() == 0 {
			w.rest = nil
		}
		return n, err
	}
	return w.Conn.Read(p)
}

// RemoteAddr is the client's address, LocalAddr the one it came to; both as far as the header is
// known by now.
func (w *wire) RemoteAddr() net.Addr {
	if w.remote != nil {
		return w.remote
	}
	return w.Conn.RemoteAddr()
}

func (w *wire) LocalAddr() net.Addr {
	if w.local != nil {
		return w.local
	}
	return w.Conn.LocalAddr()
}

// reset closes at once: the other side is told that nobody is here, and nothing is kept for it.
func (w *wire) reset() error {
	if tcp, ok := w.Conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0) // without it the close is only slower
	}
	return w.Conn.Close()
}
