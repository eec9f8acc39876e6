// Package lxdcontract is one suite of tests for everything that behaves as an LXD: the fake of
// package lxdfake and, with the build tag integration, a real cluster through package lxdapi.
// What it checks is what the rest of lxdfleet may rely on; it keeps the fake honest.
package lxdcontract
