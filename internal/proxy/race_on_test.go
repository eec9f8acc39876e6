//go:build race

package proxy

// raceEnabled: the race detector slows everything, so tests of speed do not apply.
const raceEnabled = true
