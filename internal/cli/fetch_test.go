package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSnapshotGetWritesAFile(t *testing.T) {
	b := newBench(t)
	t.Chdir(t.TempDir())
	if err := os.Mkdir("there", 0o700); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{"": "index.php", "there": "there/index.php", "there/other.php": "there/other.php"} {
		args := []string{"snapshot", "get", "acme", "snap0", "/var/www/index.php"}
		if target != "" {
			args = append(args, target)
		}
		if r := b.run(args...); r.exit != exitOK || r.out != want+": 6 bytes\n" {
			t.Errorf("%v", r)
		}
		if data, err := os.ReadFile(want); err != nil || string(data) != "<?php\n" {
			t.Errorf("%q %v", data, err)
		}
		if r := b.run(args...); r.exit != exitFailed || !strings.Contains(r.err, want+" is there already") {
			t.Errorf("%v", r)
		}
	}
	left, err := filepath.Glob(".*")
	if err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}
