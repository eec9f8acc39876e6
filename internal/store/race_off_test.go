//go:build !race

package store

// slower is how many times longer timed code may take than the bounds say.
const slower = 1
