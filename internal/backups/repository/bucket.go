package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/kopia/kopia/repo/blob"
	"github.com/minio/minio-go/v7"
	"golang.org/x/time/rate"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/s3"
)

// bucket keeps the objects in an S3 bucket. kopia's own storage of that kind tries again for
// minutes what the server refuses for good, and keeps the keys in a file.
type bucket struct {
	blob.DefaultProviderImplementation
	*s3.Bucket
	limit    *rate.Limiter // of uploads, in bytes; nil: none
	patience time.Duration // how long is tried what may pass by itself
}

// openBucket opens the storage of a bucket that is there.
func openBucket(ctx context.Context, cfg s3.Config, limits Limits) (*bucket, error) {
	cfg.Attempts = 3
	b, err := s3.Open(cfg)
	if err != nil {
		return nil, err
	}
	st := &bucket{Bucket: b, patience: patience}
	within, cancel := context.WithTimeoutCause(ctx, answerWithin,
		fleet.Errorf(fleet.Unavailable, "the S3 server does not answer").WithHint("see whether it runs and can be reached"))
	defer cancel()
	if err := b.Check(within); err != nil {
		if within.Err() != nil {
			return nil, context.Cause(within)
		}
		// The answer to that question has no room for a reason: a key that is not known and a
		// bucket that is not there may look the same.
		if reason := answerOf(st.first(within)); reason.Code != "" && reason.Code != minio.NoSuchBucket && fleet.CodeOf(err) == fleet.NotFound {
			return nil, fleet.Errorf(fleet.Forbidden, "%s: the S3 server refuses: %s", b, reason.Message).
				WithHint("check the access key, the secret key and what they may do")
		}
		return nil, err
	}
	if n := limits.UploadBytesPerSecond; n > 0 {
		st.limit = rate.NewLimiter(rate.Limit(n), int(max(n/4, limitPiece)))
	}
	return st, nil
}

// first looks for a first object, and gives what the server says to that.
func (b *bucket) first(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing
	for o := range b.Client().ListObjects(ctx, b.Name(), minio.ListObjectsOptions{Prefix: b.Key(""), MaxKeys: 1}) {
		return o.Err
	}
	return nil
}

// answerWithin is how long a server may take for a first answer.
const answerWithin = 20 * time.Second

// limitPiece is the most that is let through at once where uploads are limited.
const limitPiece = 32 << 10

// foreign gives the name of an object in the bucket, or the part of it that is meant, that is not
// ours; empty where there is none.
func (b *bucket) foreign(ctx context.Context) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing
	for o := range b.Client().ListObjects(ctx, b.Name(), minio.ListObjectsOptions{Prefix: b.Key("")}) {
		if o.Err != nil {
			return "", &wayError{o.Err}
		}
		if name := strings.TrimPrefix(o.Key, b.Key("")); name != "" && !ours(name) {
			return o.Key, nil
		}
	}
	return "", nil
}

// patience is how long a server that does not answer is asked again. A backup that ends after
// that loses nothing: what was uploaded is used by the next.
const patience = 2 * time.Minute

// stalled is how long one request may take, with a pack in it.
const stalled = 5 * time.Minute

// try does something with the server, again and again while it does not answer.
func (b *bucket) try(ctx context.Context, what string, do func(context.Context) error) error {
	wait := 250 * time.Millisecond
	for began := time.Now(); ; wait = min(2*wait, 15*time.Second) {
		within, cancel := context.WithTimeout(ctx, stalled)
		err := do(within)
		late := within.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !late && !passes(err) {
			return translate(err)
		}
		if time.Since(began) > b.patience {
			return &wayError{fmt.Errorf("%s, tried for %s: %w", what, time.Since(began).Round(time.Second), err)}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// passes reports whether what went wrong may pass by itself.
func passes(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errShort) || full(err) {
		return false
	}
	answer := answerOf(err)
	switch answer.StatusCode {
	case 0, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return answer.StatusCode >= http.StatusInternalServerError || answer.Code == "SlowDown" || answer.Code == "RequestTimeout"
}

// translate turns an answer into what kopia knows, and marks the rest as one of the way.
func translate(err error) error {
	if err == nil || errors.Is(err, errShort) {
		return err
	}
	answer := answerOf(err)
	switch {
	case answer.Code == minio.NoSuchKey, answer.StatusCode == http.StatusNotFound && answer.Code != minio.NoSuchBucket:
		return blob.ErrBlobNotFound
	case answer.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return blob.ErrInvalidRange
	}
	return &wayError{err}
}

// errShort says that an object is shorter than it has to be.
var errShort = fmt.Errorf("the object is cut short: %w", blob.ErrInvalidRange)

func (b *bucket) GetBlob(ctx context.Context, id blob.ID, offset, length int64, out blob.OutputBuffer) error {
	if s, ok := ctx.Value(segmentsKey{}).(*segments); ok && length > 0 {
		return s.get(ctx, id, offset, length, out)
	}
	return b.get(ctx, id, offset, length, length > 0, out)
}

// get reads length bytes of an object, all that there are where it is negative. Less than that
// is an error only where exact says so.
func (b *bucket) get(ctx context.Context, id blob.ID, offset, length int64, exact bool, out blob.OutputBuffer) error {
	if length == 0 {
		out.Reset()
		_, err := b.GetMetadata(ctx, id)
		return err
	}
	var options minio.GetObjectOptions
	if length > 0 {
		if err := options.SetRange(offset, offset+length-1); err != nil {
			return blob.ErrInvalidRange
		}
	}
	return b.try(ctx, "read "+string(id), func(ctx context.Context) error {
		out.Reset()
		core := minio.Core{Client: b.Client()}
		body, info, _, err := core.GetObject(ctx, b.Name(), b.Key(string(id)), options)
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }()
		n, err := io.Copy(out, body)
		if err != nil {
			return err
		}
		if n < info.Size { // the line was cut, and not the object
			return io.ErrUnexpectedEOF
		}
		if exact && n != length {
			return errShort
		}
		return nil
	})
}

func (b *bucket) GetMetadata(ctx context.Context, id blob.ID) (m blob.Metadata, err error) {
	err = b.try(ctx, "look at "+string(id), func(ctx context.Context) error {
		o, err := b.Client().StatObject(ctx, b.Name(), b.Key(string(id)), minio.StatObjectOptions{})
		m = blob.Metadata{BlobID: id, Length: o.Size, Timestamp: o.LastModified}
		return err
	})
	return m, err
}

func (b *bucket) PutBlob(ctx context.Context, id blob.ID, data blob.Bytes, opts blob.PutOptions) error {
	switch {
	case opts.DoNotRecreate:
		return blob.ErrUnsupportedPutBlobOption
	case !opts.SetModTime.IsZero():
		return blob.ErrSetTimeUnsupported
	}
	put := minio.PutObjectOptions{ContentType: "application/x-kopia", DisableMultipart: true}
	if opts.HasRetentionOptions() {
		put.Mode = minio.RetentionMode(opts.RetentionMode)
		put.RetainUntilDate = time.Now().Add(opts.RetentionPeriod).UTC()
		put.SendContentMd5 = true // S3 wants it with a lock
	}
	err := b.try(ctx, "write "+string(id), func(ctx context.Context) error {
		body := data.Reader()
		defer func() { _ = body.Close() }()
		var from io.Reader = body
		if b.limit != nil {
			from = &limited{ReadSeeker: body, ctx: ctx, limit: b.limit}
		}
		_, err := b.Client().PutObject(ctx, b.Name(), b.Key(string(id)), from, int64(data.Length()), put)
		return err
	})
	if err != nil || opts.GetModTime == nil {
		return err
	}
	m, err := b.GetMetadata(ctx, id)
	*opts.GetModTime = m.Timestamp
	return err
}

// limited reads no faster than a limit allows.
type limited struct {
	io.ReadSeeker
	ctx   context.Context //nolint:containedctx // a Reader has no other way to it
	limit *rate.Limiter
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadSeeker.Read(p[:min(len(p), limitPiece)])
	if n > 0 {
		if err := l.limit.WaitN(l.ctx, n); err != nil {
			return 0, err
		}
	}
	return n, err
}

func (b *bucket) DeleteBlob(ctx context.Context, id blob.ID) error {
	err := b.try(ctx, "remove "+string(id), func(ctx context.Context) error {
		return b.Client().RemoveObject(ctx, b.Name(), b.Key(string(id)), minio.RemoveObjectOptions{})
	})
	if errors.Is(err, blob.ErrBlobNotFound) {
		return nil
	}
	return err
}

func (b *bucket) ListBlobs(ctx context.Context, prefix blob.ID, each func(blob.Metadata) error) error {
	var found []blob.Metadata
	err := b.try(ctx, "list "+string(prefix), func(ctx context.Context) error {
		found = found[:0]
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // ends the listing
		for o := range b.Client().ListObjects(ctx, b.Name(), minio.ListObjectsOptions{Prefix: b.Key(string(prefix))}) {
			if o.Err != nil {
				return o.Err
			}
			if name := strings.TrimPrefix(o.Key, b.Key("")); !strings.HasSuffix(name, "/") {
				found = append(found, blob.Metadata{BlobID: blob.ID(name), Length: o.Size, Timestamp: o.LastModified})
			}
		}
		return nil
	})
	for _, m := range found {
		if err == nil {
			err = each(m)
		}
	}
	return err
}

func (b *bucket) ExtendBlobRetention(ctx context.Context, id blob.ID, opts blob.ExtendOptions) error {
	mode, until := minio.RetentionMode(opts.RetentionMode), time.Now().Add(opts.RetentionPeriod).UTC()
	return b.try(ctx, "lock "+string(id), func(ctx context.Context) error {
		return b.Client().PutObjectRetention(ctx, b.Name(), b.Key(string(id)),
			minio.PutObjectRetentionOptions{RetainUntilDate: &until, Mode: &mode})
	})
}

func (b *bucket) DisplayName() string                 { return b.String() }
func (b *bucket) ConnectionInfo() blob.ConnectionInfo { return blob.ConnectionInfo{} }
