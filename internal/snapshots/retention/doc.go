// Package retention decides what of a series of snapshots, backups or drills stays, and says
// why. It is pure: the same series, rule and moment give the same verdicts.
package retention
