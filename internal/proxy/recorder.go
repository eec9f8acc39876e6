package proxy

import (
	"bufio"
	"net"
	"net/http"

	"github.com/lxdfleet/lxdfleet/internal/proxy/guard"
)

// recorder notes what is answered. It adds nothing to the way of the bytes; flushing and the
// rest reach the real writer by Unwrap.
type recorder struct {
	http.ResponseWriter
	status int   // 0 until a final status is written
	bytes  int64 // of the body

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
	if w.guard != nil {
		w.guard.SetHeaders(w.Header(), w.secure)
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Hijack hands the connection over after an upgrade.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}
