package fleet

import "time"

// Cluster is another LXD cluster or stand-alone server that lxdfleet knows, besides the one it runs
// on.
type Cluster struct {
	Name Name   `json:"name"`
	URL  string `json:"url"` // https://HOST:PORT of one of its members
	// ServerCert is the certificate it must answer with, PEM.
	ServerCert string    `json:"server_cert"`
	Project    string    `json:"project"`           // LXD project for what is lxdfleet's
	Pool       string    `json:"pool,omitempty"`    // storage pool; empty: the one that suited best
	Network    string    `json:"network,omitempty"` // likewise
	AddedAt    time.Time `json:"added_at"`
	// KeyAt is when our certificate there was made.
	KeyAt time.Time `json:"key_at"`
}
