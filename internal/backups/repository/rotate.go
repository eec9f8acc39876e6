package repository

import (
	"context"
	"errors"

	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/format"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// spareConfig is what blobConfig is going to be, while the passphrase is changed: kopia needs two
// objects that belong together, and a process can be killed between them.
const spareConfig = ownPrefix + ".blobcfg"

// Rotate changes the passphrase. Nothing is uploaded again: the key that all is encrypted with
// stays, and is wrapped anew. Who has a copy of the two small objects of before and the old
// passphrase can still read what is there. Other processes have to open the repository again.
func (r *Repository) Rotate(ctx context.Context, passphrase string) error {
	if passphrase == "" {
		return fleet.Errorf(fleet.Invalid, "the new passphrase is empty").WithField("passphrase").WithHint("name a key file")
	}
	err := r.exclusive(ctx, "change the passphrase", func(ctx context.Context) error { return r.rotate(ctx, passphrase) })
	if err == nil {
		r.readings.forget()
	}
	return err
}

// rotate changes the passphrase, under the lock. What is under way with the repository goes on.
func (r *Repository) rotate(ctx context.Context, passphrase string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Another process may have changed it.
	again, err := r.open(ctx, r.passphrase)
	if err != nil {
		return err
	}
	if err := again.Close(ctx); err != nil {
		return fail(ctx, "change the passphrase", err)
	}
	c := &captured{blobs: make(map[blob.ID]capturedBlob)}
	seen := context.WithValue(ctx, captureKey{}, c)
	if err := r.rep.FormatManager().ChangePassword(seen, passphrase); err != nil {
		return fail(ctx, "change the passphrase", err)
	}
	committed, err := r.exchange(ctx, c)
	if committed {
		r.passphrase = passphrase
	} else {
		err = errors.Join(err, r.rep.FormatManager().ChangePassword(seen, r.passphrase))
	}
	return fail(ctx, "change the passphrase", err)
}

// exchange writes the two objects so that with either passphrase one pair of them is there at any
// time. It reports whether it is the new one that counts.
func (r *Repository) exchange(ctx context.Context, c *captured) (committed bool, err error) {
	config, main := c.blobs[blobConfig], c.blobs[format.KopiaRepositoryBlobID]
	if config.data == nil || main.data == nil {
		return false, errors.New("kopia did not write what it was expected to")
	}
	for _, step := range []struct {
		id   blob.ID
		blob capturedBlob
	}{{spareConfig, config}, {format.KopiaRepositoryBlobID, main}, {blobConfig, config}} {
		opts := step.blob.opts
		if step.id == spareConfig {
			opts = blob.PutOptions{} // it is to go again
		}
		if err := r.store.PutBlob(ctx, step.id, bytesOf(step.blob.data), opts); err != nil {
			return committed, err
		}
		committed = committed || step.id == format.KopiaRepositoryBlobID
	}
	return true, r.store.DeleteBlob(ctx, spareConfig)
}

// mend ends an exchange that was cut after its commit point, the second step. It reports whether
// there was one.
func (r *Repository) mend(ctx context.Context) bool {
	var spare buffer
	if err := r.store.GetBlob(ctx, spareConfig, 0, -1, &spare); err != nil {
		return false
	}
	return r.store.PutBlob(ctx, blobConfig, bytesOf(spare.b), blob.PutOptions{}) == nil
}
