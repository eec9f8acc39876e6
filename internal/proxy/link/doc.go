// Package link leads proxies on hosts of their own: routes, holds and certificates come to them
// from the controller, and what they have in use is confirmed to it.
//
// The controller's end is a [Hub], to which everything is published and which holds and resumes
// tenants; the router of its own process is one more of its proxies. A proxy's end is a [Follower]
// on a [Client], which also has a [Storage] of certificates.
//
// What it guarantees:
//
//   - Every proxy goes through the same states in the same order. A state has a generation; a
//     stream begins with a snapshot and goes on with changes, each of which names its generation
//     and the checksum of the whole. Whatever does not fit ends the stream, and the next one begins
//     with a snapshot. So does a new controller: its generations are its own.
//   - A confirmed generation is in use: the table is swapped, and gates that are to be held are.
//     Gates close before the routes change and open after.
//   - [Hub.WaitSeen] returns when every proxy has confirmed the generation in the stream that is open
//     now, or was silent for the lease. It names those it waits for.
//   - Without its controller a proxy goes on with what it was told last, also over its own restart:
//     routes, holds, and the certificates it has read.
//   - Only who has joined with a token is told anything; TLS 1.3, certificates of both sides from an
//     authority that signs nothing else. A proxy that was removed is refused with the next request,
//     and its stream is cut at once.
//
// # Moves
//
// A move of a tenant holds it everywhere, stops the instance, starts it elsewhere, publishes the new
// backend and resumes. What must be true for that, and why it is:
//
// No answer may come from the old instance once the new one has started, or a client could lose
// what it wrote. That rests on the old instance being stopped by then, not on gates: a proxy that
// knows nothing of the move, because it is cut off, finds its connections refused. It tries again
// behind the gate, and its visitors see a page with 502 at the worst. So no clock has to be right
// for data to be safe, and the lease only decides how long a move waits so that nobody sees an
// error.
//
// No visitor should see an error. For a proxy that is connected none does: it has confirmed that it
// holds before the instance stops, and has the new backend before it resumes, because both come in
// one order. For a proxy that is away the controller waits for the lease, in which it most likely
// comes back, and then goes on without it. A move must not wait for ever for a host that has burnt
// down.
//
// A proxy that lost its controller keeps its gates as they are. Those held stay held: the
// controller may be in the middle of a move, and a request that waits is never wrong. Those open
// stay open: most likely the controller is being restarted, and its tenants run.
//
// One thing is beyond that. LXD may give a stopped instance's address to another one. A proxy that is
// cut off from its controller, but not from the instances, would lead the old tenant's visitors there.
// LXD keeps an address for an instance as long as that exists, so it takes an instance that was
// deleted, and a proxy that is cut off since before that.
package link
