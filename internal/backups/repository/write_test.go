package repository

import (
	"archive/tar"
	"bytes"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// A stream with all that there is in one comes back byte for byte.
func TestWriteAndRead(t *testing.T) {
	r := sharedRepository(t)
	stream := archive(t, entries{
		{Header: tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}},
		{Header: tar.Header{Name: "./etc/", Typeflag: tar.TypeDir, Mode: 0o755}},
		{Header: tar.Header{Name: "./etc/passwd", Uid: 1, Gid: 2}, content: []byte("root:x:0:0\n")},
		{Header: tar.Header{Name: "./etc/empty"}},
		{Header: tar.Header{Name: "./bin/ping", Mode: 0o4755, Format: tar.FormatPAX, PAXRecords: map[string]string{
			"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00", "SCHILY.acl.access": "user::rwx,group::r-x,other::r-x",
		}}, content: random(1, 10_000)},
		{Header: tar.Header{Name: "./bin/ping6", Typeflag: tar.TypeLink, Linkname: "./bin/ping"}},
		{Header: tar.Header{Name: "./bin/p", Typeflag: tar.TypeLink, Linkname: "./bin/ping6"}},
		{Header: tar.Header{Name: "./lib", Typeflag: tar.TypeSymlink, Linkname: "usr/lib"}},
		{Header: tar.Header{Name: "./dev/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}},
		{Header: tar.Header{Name: "./run/pipe", Typeflag: tar.TypeFifo}},
		{Header: tar.Header{Name: "./var/big"}, content: random(2, 5<<20)},
		{Header: tar.Header{Name: "./etc/late"}, content: []byte("the stream comes back to a folder")},
		{Header: tar.Header{Name: "./etc/passwd"}, content: []byte("the same name again\n")},
		{Header: tar.Header{Name: "./etc/odd\xff\xfename", Format: tar.FormatGNU}, content: []byte("no UTF-8")},
		{Header: tar.Header{Name: "./etc/passwd/below"}, content: []byte("below a file")},
		{Header: tar.Header{Name: "../outside"}, content: []byte("outside")},
	})
	s := mustWrite(t, r, meta(t), stream)
	if got := mustRead(t, r, s.ID); !bytes.Equal(got, stream) {
		t.Errorf("%d bytes came back of %d", len(got), len(stream))
	}
	if again := mustWrite(t, r, meta(t), stream); again.Moved > 10_000 {
		t.Errorf("nothing had changed, and %d bytes were moved", again.Moved)
	}
	if damage, err := r.Verify(t.Context(), VerifyOptions{IDs: []string{s.ID}}, nil); err != nil || len(damage) != 0 {
		t.Errorf("verify: %v, %v", damage, err)
	}
}

func TestRotate(t *testing.T) {
	dir := t.TempDir()
	o := folderOptions(dir)
	r, err := Init(t.Context(), o, Lock{})
	if err != nil {
		t.Fatal(err)
	}
	stream := archive(t, entries{{Header: tar.Header{Name: "a"}, content: []byte("some")}})
	s := mustWrite(t, r, meta(t), stream)
	if err := r.Rotate(t.Context(), "another"); err != nil {
		t.Fatal(err)
	}
	if got := mustRead(t, r, s.ID); !bytes.Equal(got, stream) {
		t.Error("not the same after the change")
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := Open(t.Context(), o); fleet.CodeOf(err) != fleet.Forbidden {
		t.Errorf("with the old passphrase: %v", err)
	}
	o.Passphrase = "another"
	if r, err = Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := mustRead(t, r, s.ID); !bytes.Equal(got, stream) {
		t.Error("not the same after opening again")
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
