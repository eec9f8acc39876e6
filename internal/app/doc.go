// Package app wires the daemon: it alone knows which store, which LXD and which services there
// are, and gives each what it needs.
//
// New binds and opens everything, so that what cannot work is told before anything runs. Run
// starts the parts, and stops them in the opposite order, each within a time bound.
package app
