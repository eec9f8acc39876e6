package cli

import (
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func TestKeyIsShownAndConfirmed(t *testing.T) {
	b := newBench(t)
	b.Backups.Unmade()
	if r := b.run("backup", "status"); r.exit != exitOK || !strings.Contains(r.out, "make one: lxdfleet backup init") {
		t.Errorf("%v", r)
	}
	if r := b.run("backup", "create", "acme"); r.exit != exitFailed || !strings.Contains(r.err, "Hint: make one: lxdfleet backup init") {
		t.Errorf("%v", r)
	}
	r := b.run("backup", "init")
	if r.exit != exitOK || !strings.Contains(r.out, "    "+apifake.RecoveryKey+"\n") || !strings.Contains(r.err, "lxdfleet backup confirm-key") {
		t.Errorf("%v", r)
	}
	for typed, want := range map[string]int{"nonsense\n": exitFailed, "": exitUsage, "# The key\n\n" + apifake.RecoveryKey + "\n": exitOK} {
		b.in = strings.NewReader(typed)
		if r := b.run("backup", "confirm-key"); r.exit != want || strings.Contains(r.out+r.err, apifake.RecoveryKey) {
			t.Errorf("%q: %v", typed, r)
		}
	}
}

func TestKeyIsAskedForUntilItIsRight(t *testing.T) {
	for _, typed := range []string{"wrong\n" + apifake.RecoveryKey + "\nmore\n", "wrong\n\n", ""} {
		b := newBench(t)
		d, err := client.New(b.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer d.CloseIdle()
		var out, errs locked
		tool := &tool{Streams: Streams{In: strings.NewReader(typed), Out: &out, Err: &errs}, output: "table"}
		if err := tool.askKey(t.Context(), d); err != nil {
			t.Error(err)
		}
		right := strings.Contains(typed, apifake.RecoveryKey)
		if got := strings.Contains(out.String(), "It is the key"); got != right {
			t.Errorf("%q: %s%s", typed, out.String(), errs.String())
		}
		if got := strings.Contains(errs.String(), "lxdfleet doctor reminds you"); got == right {
			t.Errorf("%q: %s", typed, errs.String())
		}
		if got := strings.Contains(errs.String(), "Error: key: this is not the recovery key"); got != strings.HasPrefix(typed, "wrong") {
			t.Errorf("%q: %s", typed, errs.String())
		}
	}
}
