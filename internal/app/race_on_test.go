//go:build race

package app

// slower is how many times longer timed code may take under the race detector.
const slower = 10
