//go:build integration

package integration

import (
	"math"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/rows"
	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// A move to another member loses no row and fails no request, and the snapshots come along.
func (s *story) testMove(t *testing.T) {
	from := s.tenant("acme").Location
	before := s.snapshotNames("acme")
	s.goesOn(t, s.load)
	began := time.Now()
	s.must("move", "acme", "--max-hold", "100s")
	took := time.Since(began)
	s.goesOn(t, s.load)
	if now := s.tenant("acme"); now.Location == from || now.Member != now.Location {
		t.Errorf("acme: %+v", now)
	}
	// All that was ever answered is there.
	s.wantRows(t, "acme", s.load, rows.Cut{Since: s.since, Before: s.load.Now(), After: math.MaxInt})
	wantNoneFailed(t, s.load)
	if after := s.snapshotNames("acme"); len(after) != len(before) {
		t.Errorf("snapshots %v, before the move %v", after, before)
	}
	job, _ := s.lastJob("tenant.move", "tenant/acme")
	if job.State != client.JobStateDone {
		t.Errorf("job %+v", job)
	}
	t.Logf("moved in %s, writers waited %s\n%s", took.Round(time.Millisecond),
		s.load.Stall(began, began.Add(took)).Round(time.Millisecond), s.must("job", "show", job.Id))
}
