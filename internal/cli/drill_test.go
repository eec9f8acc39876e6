package cli

import (
	"strings"
	"testing"
)

func TestFailedDrillAndDamageAreFailures(t *testing.T) {
	b := newBench(t)
	if r := b.run("backup", "verify"); r.exit != exitFailed || !strings.Contains(r.out, "Backup 90e1d7f2b3a4 of acme is damaged") {
		t.Errorf("%v", r)
	}
	if r := b.run("backup", "verify", "c1ab"); r.exit != exitOK || !strings.Contains(r.out, "No damage was found") {
		t.Errorf("%v", r)
	}
	b.Backups.FailDrills()
	if r := b.run("drill", "run", "acme"); r.exit != exitFailed || !strings.Contains(r.out, "the database did not start") {
		t.Errorf("%v", r)
	}
}
