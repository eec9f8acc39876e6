// Package reach sees to it that proxies and health checks reach the application of an instance,
// whatever network it is on.
//
// Where instances' own addresses cannot be dialled, as on a bridge that each member has for itself,
// something of LXD's leads there from an address of the member: a proxy device of the instance, or
// an entry of a network forward. Which port leads to which instance is written in LXD alone, in the
// device or the entry, so there is nothing that could get out of step and nothing to restore.
//
// What it guarantees:
//
//   - An instance's backend is made where it is missing or wrong whenever it is asked for, and a
//     device that would keep an instance from starting where it is now is put right before.
//   - An address that an instance says it has is given only where what its root cannot change vouches
//     for it: LXD's configuration and leases, or the kernel's table of neighbours.
//   - No port leads to two instances, and none to an instance other than the one it was asked for:
//     an entry whose target another instance has now goes before that other is served.
//   - What is not wanted any more (the instance is gone or elsewhere, the configuration says another
//     way) is taken away by the Keeper. What others made is left alone.
package reach
