// Package backups keeps tenants off the pool they live on: in a repository that is deduplicated,
// compressed and encrypted on our side, on an S3 server or in a folder.
//
// Every change is a job:
//
//   - backup.create snapshots a tenant, its application held still, reads the snapshot through a
//     throwaway copy and streams it into the repository; nothing is written to the member's disk
//     but that copy-on-write copy;
//   - backup.restore puts a tenant back in place: the instance is made anew beside the old one
//     while the tenant serves, then requests are held, the two change places, and the old one is
//     kept, stopped, for a while. A tenant that does not get well is put back as it was;
//   - backup.clone makes a new tenant of a backup, or a lost one again;
//   - backup.drill restores into a throwaway instance without a network, looks whether it is well,
//     and records what a restore would have cost;
//   - backup.verify, backup.delete, backup.prune and backup.control, which saves what the control
//     plane knows.
//
// What the package guarantees:
//
//   - A backup is recorded only when all of it is in the repository; a job that fails leaves
//     neither a snapshot nor an instance nor an entry in the repository behind.
//   - A backup known to be damaged is never restored. Contents are checked while they are read.
//   - A key file is never overwritten, and nothing is written to a repository that the key does
//     not open. A new key is on disk before the repository asks for it.
//   - All that a restore needs is in the repository: the records in the store can be rebuilt from
//     it, and so can the tenants (Recover).
package backups
