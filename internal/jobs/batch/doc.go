// Package batch has one job do something to many tenants: each by a job of its own, some at a
// time. So a job that is stopped leaves no tenant half-done, and one that is taken up again after
// a crash goes on with the jobs that are under way: it asks for each with the same key again.
package batch
