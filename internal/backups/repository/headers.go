package repository

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/kopia/kopia/repo/object"
)

// The headers of a backup: headersMagic, and then records until the end of the file. A record is
//
//	length of the bytes that follow, of the tar stream as they are   uvarint
//	these bytes
//	length of the content that is next in the stream                 uvarint
//	length of its object's name, where there is such a content       uvarint
//	the object's name
const headersMagic = "lxdfleet tar 1\n"

// maxRaw and maxName bound what a record may hold.
const (
	maxRaw  = 64 << 20
	maxName = 1 << 10
)

// record is a part of a tar stream.
type record struct {
	raw  []byte
	size int64 // of the content that follows; 0: none
	id   object.ID
}

// append adds the record to b, as it is in the file.
func (r record) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(r.raw)))
	b = append(b, r.raw...)
	b = binary.AppendUvarint(b, uint64(r.size))
	if r.size > 0 {
		name := r.id.String()
		b = binary.AppendUvarint(b, uint64(len(name)))
		b = append(b, name...)
	}
	return b
}

// headersReader reads the records of a backup.
type headersReader struct{ r *bufio.Reader }

var errHeaders = errors.New("the headers are not in a form this version knows")

func newHeadersReader(r io.Reader) (*headersReader, error) {
	h := &headersReader{r: bufio.NewReaderSize(r, 256<<10)}
	magic := make([]byte, len(headersMagic))
	if _, err := io.ReadFull(h.r, magic); err != nil {
		return nil, noEnd(err)
	}
	if string(magic) != headersMagic {
		return nil, errHeaders
	}
	return h, nil
}

// next gives the next record, io.EOF after the last one.
func (h *headersReader) next() (r record, err error) {
	if _, err := h.r.Peek(1); errors.Is(err, io.EOF) {
		return record{}, io.EOF
	}
	if r.raw, err = h.bytes(maxRaw); err != nil {
		return record{}, noEnd(err)
	}
	size, err := binary.ReadUvarint(h.r)
	if err != nil {
		return record{}, noEnd(err)
	}
	if r.size = int64(size); r.size < 0 {
		return record{}, errHeaders
	}
	if r.size == 0 {
		return r, nil
	}
	name, err := h.bytes(maxName)
	if err != nil {
		return record{}, noEnd(err)
	}
	if r.id, err = object.ParseID(string(name)); err != nil {
		return record{}, fmt.Errorf("%w: %w", errHeaders, err)
	}
	return r, nil
}

func (h *headersReader) bytes(most uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(h.r)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, errHeaders
	}
	b := make([]byte, n)
	_, err = io.ReadFull(h.r, b)
	return b, err
}

// noEnd makes an end where there must not be one an error of its own.
func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
