// Package apifake has in-memory services behind the API, for the tests of the API and of the
// command line. Time stands still in it and ids count up, so that what people see can be
// compared with a file. Nothing outside tests imports it.
package apifake
