// Package setup prepares an LXD server or cluster for lxdfleet (Init) and finds out what is
// wrong with one (Doctor).
//
// Init is safe to repeat: it makes what is missing, keeps what somebody changed, and says
// what it did. Doctor changes nothing; each finding says how to mend it.
package setup
