// Package lxdapi speaks to LXD, and is the only package that does. A Client works on one LXD
// project of one server or cluster.
//
// What it guarantees:
//
//   - Every method returns soon after its context ends. What LXD was already asked to do may
//     still happen; a repeat finds it.
//   - Ensure verbs may be repeated, also after a crash in the middle, and run beside others
//     on the same instance: they look at what is there instead of trusting an operation's
//     outcome, for LXD forgets finished operations after five seconds.
//   - Errors are fleet errors. Their codes come from LXD's status codes and from looking at
//     what exists, not from its texts, which change between versions. The exceptions are a
//     full pool (isPoolFull), a full disk (isDiskFull) and a busy instance (isBusy): LXD tells them
//     by text only.
//   - LXD may go away and come back: calls fail with fleet.Unavailable meanwhile and work
//     afterwards, for nothing is kept but the way to connect.
//
// Requests are made here rather than by the methods of LXD's client library: its WithContext
// changes the shared client, its file transfers take no context, its wait for an operation
// opens an event stream for each call, and its event listener may reorder events. From the
// library come the connection (TLS with pinned certificates, websockets), the types and the
// status errors.
package lxdapi
