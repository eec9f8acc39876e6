package repository

import (
	"archive/tar"
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/kopia/kopia/repo/blob"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// later is a place whose clock is ahead.
type later struct {
	blob.Storage
	by *time.Duration
}

func (l later) GetMetadata(ctx context.Context, id blob.ID) (blob.Metadata, error) {
	m, err := l.Storage.GetMetadata(ctx, id)
	m.Timestamp = m.Timestamp.Add(*l.by)
	return m, err
}

func (l later) PutBlob(ctx context.Context, id blob.ID, data blob.Bytes, opts blob.PutOptions) error {
	err := l.Storage.PutBlob(ctx, id, data, opts)
	if opts.GetModTime != nil {
		*opts.GetModTime = opts.GetModTime.Add(*l.by)
	}
	return err
}

// A deleted backup's room is freed by the prunes of the days after, and nothing else's.
func TestPrune(t *testing.T) {
	o := folderOptions(t.TempDir())
	var ahead time.Duration
	o.Now = func() time.Time { return time.Now().Add(ahead) }
	o.under = func(st blob.Storage) blob.Storage { return later{st, &ahead} }
	r, err := Init(t.Context(), o, Lock{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	kept := archive(t, entries{{Header: tar.Header{Name: "kept"}, content: random(30, 2<<20)}})
	keep := mustWrite(t, r, Meta{Tenant: "kept", TakenAt: someTime}, kept)
	gone := mustWrite(t, r, Meta{Tenant: "gone", TakenAt: someTime}, archive(t, entries{{Header: tar.Header{Name: "gone"}, content: random(31, 17<<20)}}))
	for range 2 { // the second time it is gone already
		if err := r.Delete(t.Context(), gone.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Get(t.Context(), gone.ID); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("the deleted one: %v", err)
	}
	var last Pruned
	for range 4 {
		ahead += 25 * time.Hour
		if last, err = r.Prune(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		t.Logf("after %s: %d bytes", ahead, last.After)
	}
	if last.After > 10<<20 { // a pack that is partly used is kept until others want to be merged with it
		t.Errorf("%d bytes are left", last.After)
	}
	if got := mustRead(t, r, keep.ID); !bytes.Equal(got, kept) {
		t.Error("what was to be kept is not the same")
	}
}

// While another process holds the lock, nothing is pruned.
func TestLocked(t *testing.T) {
	r := *sharedRepository(t)
	r.wait = 300 * time.Millisecond
	unlock, err := lockFolder(t.Context(), r.folder.path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Prune(t.Context(), nil); fleet.CodeOf(err) != fleet.Busy {
		t.Errorf("%v", err)
	}
	unlock()
	if _, err := r.Prune(t.Context(), nil); err != nil {
		t.Errorf("after it was given back: %v", err)
	}
}
