package api

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"time"
)

// tunnelled lets what knows WebSockets over HTTP/1.1 serve those over HTTP/2 too. A browser that
// has an HTTP/2 connection to a server which offers extended CONNECT (RFC 8441) opens its
// WebSockets on it. next sees the GET with Upgrade that it would be otherwise, so that it is
// looked at alike, and takes the connection over where there is only a stream.
func tunnelled(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol := r.Header[":protocol"]
		if r.Method != http.MethodConnect || len(protocol) != 1 || protocol[0] != "websocket" {
			next.ServeHTTP(w, r)
			return
		}
		upgrade := r.Clone(r.Context())
		upgrade.Method, upgrade.Proto, upgrade.ProtoMajor, upgrade.ProtoMinor = http.MethodGet, "HTTP/1.1", 1, 1
		delete(upgrade.Header, ":protocol") // no canonical name, so not Del
		upgrade.Header.Set("Connection", "Upgrade")
		upgrade.Header.Set("Upgrade", "websocket")
		upgrade.Header.Set("Sec-Websocket-Key", newKey()) // over HTTP/2 there is none
		upgrade.Body = http.NoBody                        // it is the tunnel's
		next.ServeHTTP(&tunnelWriter{ResponseWriter: w, body: r.Body, request: r}, upgrade)
	})
}

func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// tunnelWriter answers an extended CONNECT as if it were an upgrade.
type tunnelWriter struct {
	http.ResponseWriter
	body    io.ReadCloser
	request *http.Request
}

// Unwrap is for http.ResponseController.
func (w *tunnelWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader makes of a change of protocols the success that it is in HTTP/2.
func (w *tunnelWriter) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols {
		status = http.StatusOK
		for _, name := range []string{"Connection", "Upgrade", "Sec-Websocket-Accept"} {
			w.Header().Del(name) // HTTP/1.1's own
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Hijack gives the stream as a connection. It ends when the handler returns.
func (w *tunnelWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	control := http.NewResponseController(w.ResponseWriter)
	if err := control.Flush(); err != nil {
		return nil, nil, err
	}
	c := &tunnelConn{body: w.body, w: w.ResponseWriter, control: control, request: w.request}
	return c, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c)), nil
}

// tunnelConn is one stream of an HTTP/2 connection, as a connection.
type tunnelConn struct {
	body    io.ReadCloser
	w       io.Writer
	control *http.ResponseController
	request *http.Request
}

func (c *tunnelConn) Read(p []byte) (int, error) { return c.body.Read(p) }

// Write sends p at once.
func (c *tunnelConn) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, c.control.Flush()
}

// Close ends reading; what the peer reads ends when the handler returns.
func (c *tunnelConn) Close() error { return c.body.Close() }

// LocalAddr is nil where the server does not tell it.
func (c *tunnelConn) LocalAddr() net.Addr {
	addr, _ := c.request.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return addr
}

func (c *tunnelConn) RemoteAddr() net.Addr { return remoteAddr(c.request.RemoteAddr) }

func (c *tunnelConn) SetDeadline(t time.Time) error {
	if err := c.control.SetReadDeadline(t); err != nil {
		return err
	}
	return c.control.SetWriteDeadline(t)
}

func (c *tunnelConn) SetReadDeadline(t time.Time) error { return c.control.SetReadDeadline(t) }

func (c *tunnelConn) SetWriteDeadline(t time.Time) error { return c.control.SetWriteDeadline(t) }

// remoteAddr is an address as net/http writes it.
type remoteAddr string

func (remoteAddr) Network() string  { return "tcp" }
func (a remoteAddr) String() string { return string(a) }
