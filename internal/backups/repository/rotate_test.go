package repository

import (
	"context"
	"errors"
	"testing"

	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/format"
)

// refusing is a place that does not take one object.
type refusing struct {
	blob.Storage
	id *blob.ID
}

func (r refusing) PutBlob(ctx context.Context, id blob.ID, data blob.Bytes, opts blob.PutOptions) error {
	if id == *r.id {
		return &wayError{errors.New("killed here")}
	}
	return r.Storage.PutBlob(ctx, id, data, opts)
}

// A change of the passphrase that is cut leaves a repository that one of the two opens.
func TestRotateCut(t *testing.T) {
	var refused blob.ID
	o := folderOptions(t.TempDir())
	o.under = func(st blob.Storage) blob.Storage { return refusing{st, &refused} }
	r, err := Init(t.Context(), o, Lock{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		cut       blob.ID
		new, want string
	}{
		{spareConfig, "second", passphrase},
		{format.KopiaRepositoryBlobID, "second", passphrase},
		{blobConfig, "second", "second"},
	} {
		refused = tc.cut
		if err := r.Rotate(t.Context(), tc.new); err == nil {
			t.Errorf("cut at %s: no error", tc.cut)
		}
		refused = ""
		o.Passphrase = tc.want
		again, err := Open(t.Context(), o)
		if err != nil {
			t.Fatalf("cut at %s: %v", tc.cut, err)
		}
		if err := again.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
