package store

import (
	"fmt"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func testMember(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	same(t, "nobody has said a word", len(must(s.MemberRecords(ctx))(t)), 0)
	same(t, "none", must(s.MemberRecord(ctx, "n1"))(t), fleet.MemberRecord{Name: "n1"})

	n2 := fleet.MemberRecord{Name: "n2", Cordoned: true, Reason: "new disk 💾 'quoted'", UpdatedAt: at(1)}
	n2 = must(s.SaveMemberRecord(ctx, n2))(t)
	n1 := must(s.SaveMemberRecord(ctx, fleet.MemberRecord{Name: "n1", Labels: map[string]string{"disk": "nvme", "rack": ""}, UpdatedAt: at(2)}))(t)
	same(t, "revision", n1.Revision, int64(1))
	same(t, "n1", must(s.MemberRecord(ctx, "n1"))(t), n1)
	same(t, "all", must(s.MemberRecords(ctx))(t), []fleet.MemberRecord{n1, n2})

	stale := n2
	n2.Cordoned, n2.Reason, n2.UpdatedAt = false, "", at(3)
	n2 = must(s.SaveMemberRecord(ctx, n2))(t)
	same(t, "changed", must(s.MemberRecord(ctx, "n2"))(t), n2)
	_, err := s.SaveMemberRecord(ctx, stale)
	fails(t, err, fleet.Conflict, "", "n2")
	_, err = s.SaveMemberRecord(ctx, fleet.MemberRecord{Name: "n1"})
	fails(t, err, fleet.Conflict, "", "n1")
	_, err = s.SaveMemberRecord(ctx, fleet.MemberRecord{Name: "n9", Revision: 4})
	fails(t, err, fleet.Conflict, "", "n9")
}

// Of many that change the same record at the same time one does.
func testMemberConcurrent(t *testing.T, db database) {
	dsn := db(t)
	stores, ctx := []*Store{openAt(t, dsn), openAt(t, dsn)}, t.Context()
	for revision := range int64(3) {
		saved := race(t, 8, fleet.Conflict, func(i int) error {
			_, err := stores[i%2].SaveMemberRecord(ctx, fleet.MemberRecord{
				Name: "n1", Reason: fmt.Sprint(i), Revision: revision, UpdatedAt: at(1),
			})
			return err
		})
		same(t, "saved", saved, 1)
	}
}
