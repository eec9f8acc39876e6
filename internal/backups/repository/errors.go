package repository

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"syscall"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/content"
	"github.com/kopia/kopia/repo/object"
	"github.com/minio/minio-go/v7"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Damage is what of a backup can no longer be read: an object of the repository is missing, cut
// short or altered. It is found with errors.AsType in what Read, Verify and the others return.
type Damage struct {
	Backup string // its ID
	Path   string // the file or folder, as the tar stream names it
	Object string // the repository's name of the object
	Err    error
}

func (d *Damage) Error() string {
	return fmt.Sprintf("backup %s is damaged: %s cannot be read: object %s: %v", d.Backup, d.Path, d.Object, d.Err)
}

// Unwrap gives the cause.
func (d *Damage) Unwrap() error { return d.Err }

// damaged gives the error of an object that could not be read: a Damage, unless it is the way to
// the object that failed.
func damaged(ctx context.Context, doing, backup, path, object string, err error) error {
	if err == nil || !isDamage(ctx, err) {
		return fail(ctx, doing, err)
	}
	d := &Damage{Backup: backup, Path: path, Object: object, Err: err}
	return fleet.Errorf(fleet.Failed, "%w", d).
		WithHint("verify all backups; restore another one, and make a new backup of the tenant soon")
}

// isDamage reports whether an error says that an object was reached and is not what was written.
func isDamage(ctx context.Context, err error) bool {
	if ctx.Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if errors.Is(err, blob.ErrBlobNotFound) || errors.Is(err, blob.ErrInvalidRange) ||
		errors.Is(err, content.ErrContentNotFound) || errors.Is(err, object.ErrObjectNotFound) {
		return true
	}
	_, reaching := errors.AsType[*wayError](err)
	return !reaching
}

// wayError marks an error of the way to the objects: the server, the line, the disk.
type wayError struct{ err error }

func (w *wayError) Error() string { return w.err.Error() }
func (w *wayError) Unwrap() error { return w.err }

// fail turns what went wrong into a fleet error. Those of a context pass in the chain.
func fail(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	if e, ok := errors.AsType[*fleet.Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, repo.ErrInvalidPassword):
		return fleet.Errorf(fleet.Forbidden, "%s: the passphrase does not fit this repository", doing).WithField("passphrase").
			WithHint("use the passphrase that the repository was made with, or that it was last changed to")
	case errors.Is(err, fs.ErrPermission):
		return fleet.Errorf(fleet.Forbidden, "%s: %w", doing, err).WithHint("let the daemon's user read and write the folder")
	case full(err):
		return fleet.Errorf(fleet.Exhausted, "%s: the place of the backups is full: %w", doing, err).
			WithHint("make room, or delete backups and prune")
	}
	return failed(doing, err)
}

// failed is fail for what a server says, and the rest.
func failed(doing string, err error) error {
	answer := answerOf(err)
	switch answer.Code {
	case minio.AccessDenied, "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled", "ExpiredToken":
		return fleet.Errorf(fleet.Forbidden, "%s: the S3 server refuses: %w", doing, err).
			WithHint("check the access key, the secret key and what they may do")
	case minio.NoSuchBucket:
		return fleet.Errorf(fleet.NotFound, "%s: %w", doing, err).WithField("location").WithHint("make the bucket, or name another one")
	}
	if _, ok := errors.AsType[*wayError](err); ok {
		return fleet.Errorf(fleet.Unavailable, "%s: %w", doing, err).
			WithHint("see whether the place of the backups answers; what was uploaded is used again")
	}
	return fleet.Errorf(fleet.Failed, "%s: %w", doing, err).WithHint("verify the repository; see docs/backups.md")
}

// full reports whether an error says that there is no room left where the objects are kept.
func full(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	answer := answerOf(err)
	if answer.StatusCode == http.StatusInsufficientStorage {
		return true
	}
	switch answer.Code {
	case "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "InsufficientCapacity", "EntityTooLargeForQuota":
		return true
	}
	return false
}

// answerOf gives what an S3 server said, empty where it was none.
func answerOf(err error) minio.ErrorResponse {
	answer, _ := errors.AsType[minio.ErrorResponse](err)
	return answer
}
