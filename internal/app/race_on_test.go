//go:build race

package app

// Under the race detector timed code may take so many times longer, with fewer tenants: SQLite
// is Go code here.
const slower, manyTenants = 10, 500
