//go:build integration

package repository

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/lxdfleet/lxdfleet/integration/s3server"
)

// Where the bucket locks objects, nobody with our keys can remove a pack for good.
func TestObjectLock(t *testing.T) {
	cfg := s3server.StartIn(t, t.TempDir(), "--versioning-dir", t.TempDir()).LockingBucket()
	r, err := Init(t.Context(), bucketOptions(t, cfg), Lock{For: 48 * time.Hour, Compliance: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(context.Background())
	stream := many(t, 800, 20, 2<<20)
	s := mustWrite(t, r, meta(t), stream)
	client, tried := r.bucket.Client(), 0
	for o := range client.ListObjects(t.Context(), cfg.Bucket, minio.ListObjectsOptions{Prefix: "fleet/p", WithVersions: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		tried++
		if err := client.RemoveObject(t.Context(), cfg.Bucket, o.Key, minio.RemoveObjectOptions{VersionID: o.VersionID}); err == nil {
			t.Errorf("%s was removed", o.Key)
		}
	}
	if tried == 0 {
		t.Error("there is no pack")
	}
	if got := mustRead(t, r, s.ID); !bytes.Equal(got, stream) {
		t.Error("not the same")
	}
	if _, err := r.Prune(t.Context(), nil); err != nil {
		t.Errorf("prune: %v", err)
	}
	if err := r.Rotate(t.Context(), "another"); err != nil {
		t.Errorf("rotate: %v", err)
	}
}
