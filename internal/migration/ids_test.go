package migration

import (
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

// A copy keeps the original's user ids where nobody on the target has any of them.
func TestIDsAreFree(t *testing.T) {
	for _, c := range []struct {
		name, mine, theirs, member, job string
		want                            bool
	}{
		{"nobody has them", "1065536", "1131072", "n2", "other", true},
		{"somebody has them", "1065536", "1065536", "n2", "other", false},
		{"somebody has some", "1065536", "1100000", "n2", "other", false},
		{"elsewhere", "1065536", "1065536", "n3", "other", true},
		{"the copy itself", "1065536", "1065536", "n2", "me", true},
		{"shared by all", "0", "1065536", "n2", "other", false},
		{"not told", "", "1065536", "n2", "other", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			lxd := lxdfake.New(lxdfake.Options{Members: []string{"n1", "n2", "n3"}})
			image := lxd.AddImage(fleet.Image{})
			do(t, lxd.LxcCreate(fleet.CloneSpec{
				Name: "globex", Fingerprint: image, Member: c.member,
				Config: map[string]string{fleet.KeyJob: c.job, keyIDsNow: c.theirs},
			}))
			source := fleet.Instance{Name: "acme", Config: map[string]string{keyIDsNow: c.mine}}
			got, err := (&crew{Deps{LXD: &single{lxd, t}}}).idsAreFree(t.Context(), &jobs.Run{JobID: "me"}, &moveState{To: "n2"}, source)
			if err != nil || got != c.want {
				t.Errorf("%t, %v; want %t", got, err, c.want)
			}
		})
	}
}
