// Package realm has several LXD clusters look like one: the home cluster, which lxdfleet runs on, and
// others that it knows. A Realm can do what a client of one cluster can.
//
// Members of others have the cluster's name before theirs, as the lxc command writes remotes: west:n1.
// Those of the home cluster are called as they are. An instance is asked for by its name alone: a Realm
// knows, or finds out, which cluster has it. A name is an instance's in one cluster only.
//
// What it guarantees:
//
//   - Without other clusters every call is the home cluster's own, at no cost.
//   - A cluster that is away keeps nothing waiting for longer than a few seconds, once: until it answers
//     again, what it has is told as it was last known, with the status Error, as LXD tells of a member
//     that is offline; and what is asked of it fails at once, with fleet.Unavailable.
//   - What is made without a word about where goes to the home cluster, or, for a copy, to the cluster of
//     its original. Images and profiles are the home cluster's; an image that a clone elsewhere needs is
//     sent there.
package realm
