// Package clusters knows other LXD clusters and stand-alone servers besides the one lxdfleet runs on.
//
// Each is told from all others by the certificate it answers with, which is pinned when it is added.
// To each lxdfleet shows a client certificate that it made for this one alone; the key never leaves
// the file it is in, which only the daemon's user may read. The certificate is exchanged for a new
// one in good time, over the trust in the one before: an exchange that is cut off at any point is
// ended by the next, and the cluster is reached all the while.
package clusters
