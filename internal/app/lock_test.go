package app

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestOneDaemonPerDataFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := lockData(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockData(dir); !errors.Is(err, fleet.Taken) {
		t.Errorf("second daemon: %v, want %s", err, fleet.Taken)
	}
	first.release()
	second, err := lockData(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer second.release()
	if second.owner != first.owner || len(second.owner) != 26 {
		t.Errorf("owner %q after %q: a restarted daemon is another one", second.owner, first.owner)
	}
}

func TestSubordinateIDs(t *testing.T) {
	tests := []struct {
		name, text string
		want       int64 // 0: an error
	}{
		{"one range", "root:1000000:1000000000\n", 1_000_000_000},
		{"two ranges and others", "lxd:1:5\nroot:100000:65536\nroot:300000:65536\n", 131_072},
		{"none for root", "me:100000:65536\n", 0},
		{"not a number", "root:1:many\n", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "subuid")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := subordinateIDs(file)
			if got != tt.want || (err == nil) != (tt.want != 0) {
				t.Errorf("%d, %v; want %d", got, err, tt.want)
			}
		})
	}
}
