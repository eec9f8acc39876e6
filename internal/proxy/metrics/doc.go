// Package metrics counts what the proxy does, and shows it to Prometheus.
//
// What it guarantees, and how:
//
//   - Counting costs a request about as much as two looks at the clock: one map read without a
//     lock, one lock that nobody else wants, no allocation. A [Tenant] has several shards; where
//     two processors meet at one, another is taken, and made when there is none. So nobody
//     waits, and a fleet of quiet tenants takes the memory of one shard each.
//   - A shard's numbers are added under its lock, so they always agree with each other: the
//     histogram's count is the sum of its buckets.
//   - Label sets are bounded. Tenants are those of the table ([Traffic.Follow]); hosts that lead
//     nowhere are one tenant with an empty name. Codes are those that HTTP has. Reasons of
//     refusals are a fixed list. Certificates are those of the table's hosts, and of them the
//     ones that end soonest.
package metrics
