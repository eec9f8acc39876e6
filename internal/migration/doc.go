// Package migration moves tenants between members while their visitors notice at most one slow
// request.
//
// A move has two phases. While the tenant runs, its disk is copied to the target with all of its
// snapshots, and then what was written meanwhile, again and again, until a pass is short. Then the
// gates hold the tenant's requests, the instance is stopped cleanly, the last difference goes over,
// the copy takes the instance's name, starts, and passes its health check; the requests go on.
//
// What it guarantees:
//
//   - No two instances of one tenant run at the same time: the copy starts only after the original
//     has been stopped, renamed and kept from starting by itself, and the original starts only
//     after the copy was stopped and has given the name back.
//   - Up to the release of the requests everything is taken back when something fails, or somebody
//     cancels: the tenant serves from its source with all it ever wrote, since the copy has
//     answered no visitor. From the release on the copy is the tenant, and the original is deleted.
//   - Name, MAC address, configuration, snapshots, limits and domains stay.
//   - What a move leaves behind where a member was away is swept once the member is back.
package migration
