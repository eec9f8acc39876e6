// Package snapshots takes tenants' snapshots, on demand and by policy, keeps and drops them by
// rule, restores them in place, and reads files out of them.
//
// What it guarantees:
//
//   - A snapshot says what it is worth: application-consistent where the application was known to
//     be held still from before it was begun until it was complete, crash-consistent otherwise,
//     with the reason. How long writes were blocked is written down.
//   - An application is never held longer than its limit, whatever becomes of this process.
//   - LXD decides which snapshots there are. What is made or deleted with lxc shows, and is never
//     deleted by retention; a name that LXD has is never taken over.
//   - Retention deletes only what a policy made, and safety snapshots after their time; never
//     what is pinned.
//   - A restore keeps all other snapshots, newer ones too, and the tenant's configuration, plan
//     and address. It begins with a safety snapshot, and a tenant that is not well afterwards is
//     brought back to it. Visitors wait meanwhile.
//   - Missed runs of a policy are caught up with one, and no member has more at once than it may.
//
// The subject of each job is the tenant's, so that nothing else is done to the tenant meanwhile.
// The package schedule says when, the package retention says what stays; both are pure.
package snapshots
