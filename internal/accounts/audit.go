package accounts

import (
	"context"
	"fmt"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Note writes a change into the audit log.
func (s *Service) Note(ctx context.Context, caller fleet.Caller, e fleet.AuditEntry) error {
	e.At, e.Actor, e.User, e.Address = s.opt.Now(), caller.String(), caller.User, caller.Address
	_, err := s.store.AppendAudit(ctx, e)
	return err
}

// Audit lists entries, the newest first; of one that sees some tenants only, those of its tenants.
func (s *Service) Audit(ctx context.Context, caller fleet.Caller, f fleet.AuditFilter) ([]fleet.AuditEntry, error) {
	if caller.Tenants != nil {
		f.Tenants = caller.Tenants
	}
	return s.store.Audit(ctx, f)
}

// Flaw is a place where the audit log is not as it was written.
type Flaw struct {
	Seq  int64  `json:"seq"`
	What string `json:"what"`
}

// auditPage is how many entries are checked at a time.
const auditPage = 1000

// Check reads the whole log and tells each place where an entry was altered, or entries are gone.
// Entries taken from the end do not show here, but in the number and hash of the last one, which
// it gives: who has written them down somewhere else can compare.
func (s *Service) Check(ctx context.Context) (last fleet.AuditEntry, flaws []Flaw, err error) {
	var after *fleet.AuditEntry // the entry checked before, which comes after
	for {
		f := fleet.AuditFilter{Limit: auditPage}
		if after != nil {
			f.Before = after.Seq
		}
		page, err := s.store.Audit(ctx, f)
		if err != nil {
			return last, flaws, err
		}
		for i := range page {
			e := &page[i]
			if last.Seq == 0 {
				last = *e
			}
			if e.Seal() != e.Hash {
				flaws = append(flaws, Flaw{e.Seq, "the entry was altered"})
			}
			if after != nil {
				flaws = append(flaws, link(e, after)...)
			}
			after = e
		}
		if len(page) < auditPage {
			break
		}
	}
	if after != nil && (after.Seq != 1 || after.Prev != "") {
		flaws = append(flaws, Flaw{1, fmt.Sprintf("entries 1 to %d are gone", after.Seq-1)})
	}
	return last, flaws, nil
}

// link compares two entries that follow each other.
func link(e, next *fleet.AuditEntry) []Flaw {
	switch {
	case next.Seq == e.Seq+2:
		return []Flaw{{e.Seq + 1, fmt.Sprintf("entry %d is gone", e.Seq+1)}}
	case next.Seq > e.Seq+2:
		return []Flaw{{e.Seq + 1, fmt.Sprintf("entries %d to %d are gone", e.Seq+1, next.Seq-1)}}
	case next.Prev != e.Hash:
		return []Flaw{{next.Seq, "the entry does not follow from the one before"}}
	}
	return nil
}
