// Package handover gives the sockets of a process to its successor, so that a restart or an
// upgrade refuses nobody.
//
// The successor is started by the process itself, as the program that is now at the path it was
// started from, with the same arguments, and inherits the sockets' descriptors. It listens on
// what it inherits and opens the rest. Only when it has said that it is ready is the hand-over
// done; one that ends or takes longer than a minute before has changed nothing.
//
// Signals, descriptors and readiness are the work of tableflip; this package adds that errors of
// opening a socket can be told apart, and waiting that ends with a context.
package handover
