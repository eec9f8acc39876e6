//go:build race

package store

// slower is how many times longer timed code may take: SQLite is Go code here, and the race
// detector instruments all of it.
const slower = 10
