// Package origin says who made a request, and of what, as far as that can be known.
//
// Anybody can send X-Forwarded-For, so what such headers say counts only where the connection
// comes from a configured proxy; for everybody else the connection itself says it all. Of the
// addresses in a header only those count that a trusted proxy has added: it is read from its end
// up to the first one that is not trusted, and never beyond something that is no address. Of the
// two ways to say it X-Forwarded-For goes before Forwarded (RFC 7239), because a proxy that knows
// only the one passes the other on as it came from the client.
package origin
