// Package api serves the daemon's REST API on a unix socket.
//
// openapi.yaml is its source: the server's types and the shape of every answer are generated
// from it, the Go client in the folder client too, and a test calls every operation of the
// document and validates each answer, errors included, against it.
//
// It guarantees that
//   - every error is a problem document (RFC 9457), made in one place from a fleet error, so it
//     has the error's code, field and hint;
//   - a request body with an unknown field, a wrong type or too many bytes is refused with the
//     field's name, never half understood;
//   - a POST with an Idempotency-Key reaches the services with that key and a hash of method,
//     path, query and body, so that a repeat gives the same job and a changed one is refused;
//   - streams (events, job events, logs, exec) end soon after the client leaves or Shutdown is
//     called, and a reader that is too slow is cut off with the news that it lost events,
//     rather than holding up the daemon.
//
// Services are declared here by what the API needs of them (services.go).
package api

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config oapi-server.yaml openapi.yaml
