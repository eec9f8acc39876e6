// Package guard keeps away from tenants what must not reach them, and bounds what anybody can
// take of the proxy.
//
// What it guarantees, and how:
//
//   - What a request is does not depend on who reads it. net/http accepts several shapes that
//     other programs read differently (both lengths, a length twice, bare line feeds, folded
//     lines, Transfer-Encoding with HTTP/1.0, an absolute target with another Host), and after
//     its parser nothing of them can be seen any more. A [Listener] therefore looks at the bytes
//     of HTTP/1 connections on their way into net/http and answers 400 before its parser has
//     seen the end of such a header. HTTP/2 and 3 have no such framing; what can be odd there
//     is seen in the request, by [Check].
//   - A stranger costs little. Connections are bounded in all and by client address before a
//     byte of TLS is spent on them. Rates are bounded per tenant and per address, in memory that
//     does not grow with the number of addresses ([Limiter]).
//   - Slow is not for ever. net/http bounds the header and idle times; a [Body] that comes too
//     slowly is given up, but the time a backend takes to accept it is not held against the
//     client; and an answer that nobody takes in breaks off.
//   - A connection's address is what a configured balancer says by the PROXY protocol, and what
//     the network says for everybody else; package origin goes on from there to a request's
//     client. An IPv6 network of 64 bits counts as one client, since it is what one client gets.
//
// [Listener] does TLS itself, lazily on a connection's first read, because http.Server's own way
// leaves no place between TLS and the parser. [Listener.Attach] makes an http.Server fit for it.
package guard
