// Package xconnect switches on extended CONNECT (RFC 8441), by which browsers open WebSockets
// over HTTP/2. net/http offers it only to processes whose environment has GODEBUG=http2xconnect=1,
// and reads that when it is initialised. Packages are initialised in the order of their import
// paths as soon as what they import is ready (the Go specification, "Package initialization"), so
// this one, which needs nothing but os, is ready and comes before net/http. A test of the proxy
// fails should that ever change.
package xconnect

import (
	"os"
	"strings"
)

const setting = "http2xconnect="

func init() { //nolint:gochecknoinits // see the package's comment
	now := os.Getenv("GODEBUG")
	switch {
	case strings.Contains(now, setting): // somebody has decided
	case now == "":
		os.Setenv("GODEBUG", setting+"1") //nolint:errcheck // without it there are no WebSockets over HTTP/2, no more
	default:
		os.Setenv("GODEBUG", now+","+setting+"1") //nolint:errcheck // as above
	}
}
