// Package bench is what the benchmarks beside LXD share: lxdfleet over its API and its proxy,
// the lxc command, and figures.
package bench
