package backups

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// places are repositories by location.
type places map[string]*server

// Init implements Opener.
func (p places) Init(ctx context.Context, location, key string) error {
	return p[location].Init(ctx, location, key)
}

// Open implements Opener.
func (p places) Open(ctx context.Context, location, key string) (Repository, error) {
	v, ok := p[location]
	if !ok {
		return nil, fleet.Errorf(fleet.NotFound, "there is nothing at %s", location)
	}
	return v.Open(ctx, location, key)
}

// A fleet comes back from a repository that is not the daemon's own, opened with its key; that is
// only read, and the daemon's own gets the new backups.
func TestRecoverFromElsewhere(t *testing.T) {
	const old = "s3://old/fleet"
	bubble(t, func(t *testing.T, lost *world) {
		lost.furnish()
		lost.backup("acme")
		lost.done(lost.service.SaveControl(t.Context(), Once{}))
		lost.server.mu.Lock()
		before := len(lost.server.entries)
		lost.server.mu.Unlock()

		w := newWorld(t)
		do(t, w.lxd.EnsureDeleted(t.Context(), "acme"))
		do(t, w.store.DeleteTenant(t.Context(), "id-of-acme"))
		w.vault.opt.Opener = places{"s3://bucket/fleet": w.server, old: lost.server}
		do(t, w.vault.Close(t.Context()))
		w.start()

		for _, refused := range []struct {
			req   RecoverRequest
			code  fleet.Code
			words string
		}{
			{RecoverRequest{From: "s3://nothing"}, fleet.NotFound, "no backup repository"},
			{RecoverRequest{From: old}, fleet.Forbidden, "cannot be opened"},
			{RecoverRequest{From: old, Key: newKey()}, fleet.Forbidden, "cannot be opened"},
			{RecoverRequest{From: old, Key: "short"}, fleet.Invalid, "no recovery key"},
			{RecoverRequest{From: "s3://bucket/fleet/", Key: newKey()}, fleet.Conflict, "its own backups"},
		} {
			_, err := w.service.Recover(t.Context(), refused.req)
			wantError(t, err, refused.code, refused.words)
		}
		_, err := w.service.Recover(t.Context(), RecoverRequest{From: old, Key: lost.server.key, DryRun: true})
		do(t, err)
		if left, _ := filepath.Glob(filepath.Join(w.dir, "*.of-*")); len(left) > 0 {
			t.Errorf("a dry run has kept a key: %v", left)
		}
		report, err := w.service.Recover(t.Context(), RecoverRequest{From: old, Key: strings.ToLower(lost.server.key)})
		do(t, err)
		if len(report.Tenants) != 1 || report.Tenants[0].Outcome != RecoverRestoring || report.Backups != 0 {
			t.Fatalf("report %+v", report)
		}
		do(t, w.vault.Close(t.Context())) // as a restart of the daemon does: the key is kept
		w.ends(fleet.JobDone, fleet.Job{ID: report.Tenants[0].JobID}, nil)
		w.wantRuns(t, "acme", "id-of-acme")
		if _, err := w.service.Recover(t.Context(), RecoverRequest{From: old}); err != nil {
			t.Errorf("once more, without the key: %v", err)
		}

		w.backup("acme")
		if got := len(w.server.ids(KindTenant)); got != 1 {
			t.Errorf("%d backups in the daemon's own repository", got)
		}
		lost.server.mu.Lock()
		defer lost.server.mu.Unlock()
		if len(lost.server.entries) != before {
			t.Errorf("the other repository has %d entries, had %d", len(lost.server.entries), before)
		}
	})
}
