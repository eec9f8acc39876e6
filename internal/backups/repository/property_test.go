package repository

import (
	"archive/tar"
	"bytes"
	"fmt"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// Whatever is in a stream comes back as it was.
func TestAnyStream(t *testing.T) {
	r := sharedRepository(t)
	count := 0
	rapid.Check(t, func(rt *rapid.T) {
		count++
		stream := anyStream(rt)
		s, err := r.Write(t.Context(), Meta{Tenant: fmt.Sprint("any", count), TakenAt: someTime}, iotest.DataErrReader(bytes.NewReader(stream)), nil)
		if err != nil {
			rt.Fatal(err)
		}
		var back bytes.Buffer
		if err := r.Read(t.Context(), s.ID, &back, nil); err != nil {
			rt.Fatal(err)
		}
		if !bytes.Equal(back.Bytes(), stream) {
			rt.Fatal("another stream came back")
		}
		if found, err := r.Verify(t.Context(), VerifyOptions{IDs: []string{s.ID}}, nil); err != nil || len(found) > 0 {
			rt.Fatal(found, err)
		}
		listsAll(rt, r, s.ID, stream)
	})
}

// anyStream draws a stream: names that meet each other, of all kinds, in any order.
func anyStream(rt *rapid.T) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	part := rapid.SampledFrom([]string{"a", "b", "c", "d.txt", "ä", "..", ".", "long-" + string(bytes.Repeat([]byte("x"), 90)), "\xff"})
	for range rapid.IntRange(0, 25).Draw(rt, "entries") {
		name := part.Draw(rt, "name")
		for range rapid.IntRange(0, 3).Draw(rt, "depth") {
			name += "/" + part.Draw(rt, "name")
		}
		h := &tar.Header{
			Name: name, Mode: rapid.Int64Range(0, 0o7777).Draw(rt, "mode"), Uid: rapid.IntRange(0, 1<<20).Draw(rt, "uid"),
			ModTime:  time.Unix(rapid.Int64Range(-1<<33, 1<<34).Draw(rt, "time"), 0),
			Typeflag: rapid.SampledFrom([]byte{tar.TypeReg, tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeFifo, tar.TypeBlock}).Draw(rt, "type"),
			Format:   rapid.SampledFrom([]tar.Format{tar.FormatPAX, tar.FormatGNU}).Draw(rt, "format"),
		}
		var content []byte
		switch h.Typeflag {
		case tar.TypeReg:
			content = random(rapid.Uint64Range(0, 9).Draw(rt, "content"), rapid.SampledFrom([]int{0, 1, 511, 512, 513, 70_000, smallFile + 1}).Draw(rt, "size"))
		case tar.TypeSymlink, tar.TypeLink:
			h.Linkname = part.Draw(rt, "target")
		}
		if h.Format == tar.FormatPAX && rapid.Bool().Draw(rt, "xattr") {
			h.PAXRecords = map[string]string{"SCHILY.xattr.user.some": "thing"}
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			continue // not every name fits every format
		}
		if _, err := w.Write(content); err != nil {
			rt.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		rt.Fatal(err)
	}
	b.Write(make([]byte, 512*rapid.IntRange(0, 20).Draw(rt, "padding")))
	return b.Bytes()
}
