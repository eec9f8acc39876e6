package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/proxy/guard"
	"github.com/lxdfleet/lxdfleet/internal/proxy/metrics"
)

// tellEvery is how many bytes of a body are counted for the tenant at once while it is under
// way: a download of hours is to be seen.
const tellEvery = 1 << 20

// recorder notes what is answered. It adds nothing to the way of the bytes; flushing and the
// rest reach the real writer by Unwrap.
type recorder struct {
	http.ResponseWriter
	start   time.Time
	first   time.Duration // from start to the beginning of the answer; 0 until then
	status  int           // 0 until a final status is written
	bytes   int64         // of the body
	told    int64         // of them counted for the tenant
	taken   bool          // the connection was, by an upgrade
	body    countedBody
	visit   visit
	traffic *metrics.Traffic
	brand   *Brand

	guard  *guard.Tenant // adds to the header; nil: nothing
	secure bool          // the client came by HTTPS
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.begin(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) begin(status int) {
	w.status = status
	w.first = time.Since(w.start)
	if w.guard != nil {
		w.guard.SetHeaders(w.Header(), w.secure)
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.sent(n)
	return n, err
}

// sent counts bytes for the client. It is called from one goroutine at a time.
func (w *recorder) sent(n int) {
	w.bytes += int64(n)
	if d := w.bytes - w.told; d >= tellEvery {
		w.told = w.bytes
		w.traffic.Tenant(w.visit.tenant).Bytes(0, d)
	}
}

// Hijack hands the connection over after an upgrade.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.begin(http.StatusSwitchingProtocols)
	w.body.w = w
	w.taken = true
	return &countedConn{conn, w}, rw, nil
}

// counting gives r with a body that is counted. r itself keeps its own: net/http looks at it.
func (w *recorder) counting(r *http.Request) *http.Request {
	if r.Body == nil || r.Body == http.NoBody {
		return r
	}
	w.body.ReadCloser, w.body.w = r.Body, w
	own := *r
	own.Body = &w.body
	return &own
}

// count counts the request when it is over.
func (w *recorder) count(r *http.Request, took time.Duration) {
	v := &w.visit
	w.traffic.Tenant(v.tenant).Record(metrics.Request{
		Code: w.status, Took: took, FirstByte: w.first,
		Upgraded: w.taken || r.Method == http.MethodConnect && w.status == http.StatusOK,
		In:       w.body.n.Load() - w.body.told.Load(), Out: w.bytes - w.told,
		WasHeld: v.waited, Held: v.held, Retries: max(0, v.tries-1),
	})
}

// countedBody counts what is read of a request's body. Somebody may still read when the request
// is over.
type countedBody struct {
	io.ReadCloser
	w       *recorder
	n, told atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.received(n)
	return n, err
}

func (b *countedBody) received(n int) {
	all, told := b.n.Add(int64(n)), b.told.Load()
	if all-told >= tellEvery && b.told.CompareAndSwap(told, all) {
		b.w.traffic.Tenant(b.w.visit.tenant).Bytes(all-told, 0)
	}
}

// countedConn is a connection that was taken over.
type countedConn struct {
	net.Conn
	w *recorder
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.w.body.received(n)
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.w.sent(n)
	return n, err
}

// CloseWrite tells the client that nothing more comes.
func (c *countedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
