// Package lxdfake is an LXD in memory: the same methods as lxdapi.Client on one project, any
// number of members, faults on demand, and what an operator would do with lxc.
//
// It guarantees what the contract suite in lxdcontract checks on it and on a real LXD alike:
// the codes of errors, what repeats do, the events sent, what an offline member answers. It
// takes no time of its own: only delays that a test asks for pass, by the clock of package
// time, so it works inside a testing/synctest bubble. Every method may be called from many
// goroutines. A list of 10,000 instances costs a few milliseconds.
package lxdfake
