// Package store keeps tenants, golden images, recipes and jobs in SQLite or in MySQL
// (MariaDB), with one schema and one set of statements.
//
// What it guarantees:
//
//   - Open brings the schema up to date; any number of daemons may open one database at the
//     same time. A database written by a newer lxdfleet is refused.
//   - A method that returns nil has committed (SQLite: synced to disk, synchronous=FULL). A
//     method that fails has changed nothing, with one exception: when the connection breaks
//     during the commit itself, Unavailable is returned and the change may or may not be
//     there. Callers repeat, as inserts and deletes may be repeated.
//   - Errors are fleet errors. Deadlocks, a busy SQLite file and a connection that turns out
//     to be stale are handled inside, by running the transaction again. A database that does
//     not answer gives fleet.Unavailable, and works again without a restart once it is back.
//   - A context that ends is obeyed: its error is in the returned error's chain.
//   - Writes that belong to a running job carry its lease epoch in the UPDATE that begins
//     them, so a runner whose lease was taken changes nothing and gets fleet.Fenced.
//   - Text compares byte by byte (case matters, trailing spaces too). Times keep
//     microseconds and come back in UTC.
//
// Every public method is one transaction or one reading statement; unexported functions that
// take a transaction run inside one. Functions given to write may run more than once.
package store
