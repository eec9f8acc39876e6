// Package gauges keeps, in memory, what tenants and members used lately, for people to look at.
//
// What it guarantees:
//
//   - LXD is asked of one instance at a time on each member, and at most twice a second there: it
//     costs LXD some ten milliseconds. With few instances each is asked of every half minute, with
//     many less often. One that somebody looks at comes first, every five seconds.
//   - What is older than Window is forgotten. With what is asked bounded, so is what is kept: about
//     half a megabyte for each member, and for each busy tenant some kilobytes of its traffic.
//   - Nothing of it is stored. A daemon that begins knows nothing; whoever needs a longer memory has
//     Prometheus read /metrics.
package gauges
