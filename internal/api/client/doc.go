// Package client speaks to the daemon's REST API over its unix socket.
//
// The operations and types are generated from the same document as the server. By hand are
// only what a generator cannot make: problem documents as fleet errors (Check), server-sent
// events (Events), and running a command over a WebSocket (Exec).
package client

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config oapi-client.yaml ../openapi.yaml
