//go:build race

package link

// slack is how much longer things may take: the race detector slows all down.
const slack = 10
