// Package daemon starts servers that are built into bin/ for a test: each ends with the test, and
// with the test process however that ends. Nothing is installed; make tools builds them.
package daemon
