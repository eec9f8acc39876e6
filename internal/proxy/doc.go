// Package proxy is the front door: it leads HTTPS requests to tenants by their host.
//
// What it guarantees, and how:
//
//   - Looking up a host never waits and never fails. A [Table] is immutable, built by a pure
//     function and published through an atomic pointer. While the source of routes is down the
//     last table is used; after a restart the last saved one is.
//   - No request is lost while a tenant is away for a moment. A [Gate] per tenant outlives the
//     tables; a request checks in and is counted in one step, waits while the gate is held, and
//     learns its backend only after it got in, so it can never be led to an address that was
//     given up meanwhile. Waiting is bounded by number, bytes and time; a client that leaves
//     frees its place.
//   - A request is sent once. A backend that cannot be connected to is tried again behind the
//     gate until a deadline, because nothing was sent. Once a byte may have been sent, a failure
//     is the client's to see. The one exception is a request without a body that changes nothing
//     (GET and its like) and meets a kept-alive connection just being closed.
//   - A stranger costs nothing lasting. Certificates are made only for hosts in the table; any
//     other name gets one fixed certificate and a page that says there is no site.
//   - Nothing is buffered. Bodies stream both ways, so an upload's size does not show in memory.
//
// Parts: [Router] (table and gates, fed by [Feed]), [Server] (listeners, admission, pages, log),
// package upstream (the way to the backend), package certs (certificates and TLS).
package proxy
