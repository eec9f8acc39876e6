//go:build !race

package app

// See race_on_test.go.
const slower, manyTenants = 1, 10_000
