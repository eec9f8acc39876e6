package listing

import (
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestDiffer(t *testing.T) {
	at := time.Unix(1600000000, 0)
	file := fleet.FileInfo{Path: "/a", Type: fleet.FileRegular, Mode: 0o644, Size: 3, ModTime: at}
	for _, c := range []struct {
		name   string
		change func(*fleet.FileInfo)
		want   bool
	}{
		{"nothing", func(*fleet.FileInfo) {}, false},
		{"size", func(f *fleet.FileInfo) { f.Size = 4 }, true},
		{"time", func(f *fleet.FileInfo) { f.ModTime = at.Add(time.Nanosecond) }, true},
		{"mode", func(f *fleet.FileInfo) { f.Mode = 0o600 }, true},
		{"owner", func(f *fleet.FileInfo) { f.UID = 1 }, true},
		{"what is in it, within a second", func(f *fleet.FileInfo) { f.Sum = 2 }, true},
		{"one was not read", func(f *fleet.FileInfo) { f.Sum = 0 }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := file, file
			before.Sum, after.Sum = 1, 1
			c.change(&after)
			if got := differ(before, after); got != c.want {
				t.Errorf("differ is %t", got)
			}
		})
	}
}
