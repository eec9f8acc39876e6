// Package upstream is the way from an HTTP server to a tenant's HTTP/1.1 backend.
//
// It takes the place of httputil.ReverseProxy on http.Transport, which costs two to three times
// the processor time: no goroutine per connection, none per request without a large body, one
// write per request, and an answer that is parsed in place and handed on without a request or
// response value in between.
//
// What it guarantees, and how:
//
//   - The caller always knows whether a request can be sent again. An error means that nothing
//     was written to the client; [ErrNotSent] that the backend has not seen the request and its
//     body is whole. The one thing sent again here is a request without a body, by a method
//     that changes nothing, whose kept-alive connection turned out to be closed.
//   - An answer that is not whole never looks whole: Forward panics with http.ErrAbortHandler,
//     which makes net/http break the client's connection or stream off.
//   - A backend cannot make one answer look like two, or put bytes into the next one. Its
//     header is parsed strictly; whatever is ambiguous (both or several lengths, a transfer
//     coding other than chunked, folded lines, bare line feeds) is an error, and a connection
//     with anything left over, also bytes that come while it is idle, is not used again.
//   - An application can trust the forwarding headers. A client's own are removed, unless the
//     client is a proxy that the configuration trusts, then they are added to.
//   - Nothing is buffered beyond one buffer of 32 KiB in each direction. What has arrived is
//     passed on before more is waited for, and only then, so that a small answer is one write.
package upstream
