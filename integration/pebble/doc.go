// Package pebble starts a private ACME authority (Pebble, with its validation on) for a test, and
// the DNS that it asks: every name leads to the loopback address, and TXT records are written by
// signed updates (RFC 2136). The authority can be killed and started again on the same port; it
// then has forgotten all accounts, and signs by another root.
package pebble
