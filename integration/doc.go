// Package integration tests lxdfleet as its users have it: the real binary as a process of its
// own, a real LXD cluster, a real MariaDB, pages fetched over HTTPS. The tests have the build
// tag integration; `make integration` starts what they need and runs them.
package integration
