package repository

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// tarStream reads a tar stream and keeps what is not the content of a file.
type tarStream struct {
	tar  *tar.Reader
	from *recorder
}

// recorder notes what is read through it.
type recorder struct {
	r     io.Reader
	on    bool
	kept  []byte
	zeros int   // that end what was noted since it was last set
	total int64 // bytes read
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.total += int64(n)
	if r.on && n > 0 {
		r.kept = append(r.kept, p[:n]...)
		last := n
		for last > 0 && p[last-1] == 0 {
			last--
		}
		if last > 0 {
			r.zeros = 0
		}
		r.zeros += n - last
	}
	return n, err
}

func newTarStream(r io.Reader) *tarStream {
	from := &recorder{r: bufio.NewReaderSize(r, 512<<10), on: true}
	return &tarStream{tar: tar.NewReader(from), from: from}
}

// next gives the next entry, nil when there is none. All between the content of the one before
// and the content of this one is noted.
func (t *tarStream) next() (*tar.Header, error) {
	t.from.on, t.from.zeros = true, 0
	h, err := t.tar.Next()
	if errors.Is(err, io.EOF) {
		return nil, t.rest()
	}
	return h, t.broken(err)
}

// broken says what a stream that cannot be read lacks.
func (t *tarStream) broken(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, tar.ErrFieldTooLong) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fleet.Errorf(fleet.Invalid, "the tar stream is broken after %d bytes: %w", t.from.total, err).
			WithHint("what makes the stream ended early or failed; see its messages")
	}
	return err
}

// take gives what was noted since it was last called.
func (t *tarStream) take() []byte {
	kept := append([]byte(nil), t.from.kept...)
	t.from.kept = t.from.kept[:0]
	return kept
}

// Read reads the content of the entry.
func (t *tarStream) Read(p []byte) (int, error) {
	n, err := t.tar.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = t.broken(err)
	}
	return n, err
}

// sparse reports whether the stream holds less of an entry's content than there is to read.
func sparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

const (
	// endOfTar is what ends a tar stream: two blocks of zeros.
	endOfTar = 1024
	// maxTrailer is the most padding that may follow: a blocking factor gives 1 MiB or so.
	maxTrailer = 16 << 20
)

// rest reads what follows the last entry. A stream without an end was cut, perhaps between two
// files.
func (t *tarStream) rest() error {
	if t.from.zeros < endOfTar {
		return fleet.Errorf(fleet.Invalid, "the tar stream has no end: it was cut after %d bytes", t.from.total).
			WithHint("what makes the stream ended early; see its messages")
	}
	n, err := io.Copy(io.Discard, io.LimitReader(t.from, maxTrailer+1))
	if err != nil {
		return fmt.Errorf("read the end of the tar stream: %w", err)
	}
	if n > maxTrailer {
		return fleet.Errorf(fleet.Invalid, "more than %d bytes follow the end of the tar stream", maxTrailer).
			WithHint("write one archive, and no more padding than tar does")
	}
	return nil
}
