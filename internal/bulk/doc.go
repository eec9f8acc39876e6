// Package bulk does the same to many tenants by one job: starts, stops, restarts, snapshots, backs
// up, moves, resizes or deletes them. Each tenant's part is a job of its own, of the kind that does it to
// one tenant.
package bulk
