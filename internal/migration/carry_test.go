package migration

import (
	"context"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const history = fleet.ReservedPrefix + "history-of-acme"

// aside gives acme a history on the member, as a restore on ZFS does.
func (w *world) aside(member string) {
	w.t.Helper()
	do(w.t, w.lxd.LxcCreate(fleet.CloneSpec{
		Name: history, Fingerprint: w.image.Fingerprint, Member: member, Profiles: []string{"default", "small"},
		Config: map[string]string{fleet.KeyRole: fleet.RoleHistory, fleet.KeyHistory: w.acme.ID, "limits.memory": "1GiB"},
	}))
	do(w.t, w.lxd.LxcSnapshot(history, "old"))
}

// wantHistory fails the test unless acme's history is whole on the member, and nowhere else.
func (w *world) wantHistory(member string) {
	w.t.Helper()
	list, err := w.lxd.Instances(context.Background(), false)
	do(w.t, err)
	found := 0
	for _, inst := range list {
		if inst.Config[fleet.KeyRole] != fleet.RoleHistory {
			continue
		}
		found++
		snapshots, err := w.lxd.Snapshots(context.Background(), inst.Name)
		do(w.t, err)
		if inst.Name != history || inst.Location != member || inst.Config[fleet.KeyHistory] != w.acme.ID || inst.Config["limits.memory"] != "1GiB" ||
			len(snapshots) != 1 || snapshots[0].Name != "old" {
			w.t.Errorf("history %+v, with %+v", inst, snapshots)
		}
	}
	if found != 1 {
		w.t.Errorf("%d histories", found)
	}
}

// A history that cannot follow stays as it is, and the move is done all the same.
func TestHistoryStays(t *testing.T) {
	for name, method := range map[string]string{"no room": "EnsureCopy", "it cannot be deleted": "EnsureDeleted"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.aside("n1")
				refuse := faultErr(method, fleet.Errorf(fleet.Exhausted, "the pool is full"))
				refuse.Name = history
				if method == "EnsureCopy" {
					refuse.Name += carried
				}
				defer w.lxd.Inject(refuse)()
				job := w.ended(w.service.Move(t.Context(), "acme", Request{To: "n2"}, Once{}))
				if job.State != fleet.JobDone {
					t.Errorf("job %+v", job)
				}
				w.wantServed("n2")
				w.wantHistory("n1")
			})
		})
	}
}
