package repository

import (
	"container/list"
	"context"
	"sync"

	"github.com/kopia/kopia/repo/blob"
)

// segments keeps the parts of packs that were read last, for a read of many contents that lie one
// after the other: a request to the server for each of them would take far longer. It is in the
// context of such a read.
type segments struct {
	from *bucket

	mu   sync.Mutex
	held map[segmentName]*list.Element // of *segment
	used *list.List                    // last used first
}

type segmentsKey struct{}

type segmentName struct {
	id blob.ID
	at int64 // in segmentSize
}

type segment struct {
	name segmentName
	done chan struct{} // closed when it is read
	data []byte
	err  error
}

const (
	segmentSize = 4 << 20
	segmentsMax = 10 // held at once
)

func newSegments(b *bucket) *segments {
	return &segments{from: b, held: make(map[segmentName]*list.Element), used: list.New()}
}

// get writes a part of an object to out.
func (s *segments) get(ctx context.Context, id blob.ID, offset, length int64, out blob.OutputBuffer) error {
	out.Reset()
	for length > 0 {
		data, err := s.one(ctx, segmentName{id, offset / segmentSize})
		if err != nil {
			return err
		}
		skip := offset % segmentSize
		if skip >= int64(len(data)) {
			return errShort
		}
		n, err := out.Write(data[skip:min(skip+length, int64(len(data)))])
		if err != nil {
			return err
		}
		offset, length = offset+int64(n), length-int64(n)
		if length > 0 && len(data) < segmentSize {
			return errShort
		}
	}
	return nil
}

// one gives a segment, reading it where nobody has or does.
func (s *segments) one(ctx context.Context, name segmentName) ([]byte, error) {
	s.mu.Lock()
	e, ok := s.held[name]
	if ok {
		s.used.MoveToFront(e)
	} else {
		e = s.used.PushFront(&segment{name: name, done: make(chan struct{})})
		s.held[name] = e
		if s.used.Len() > segmentsMax {
			s.drop(s.used.Back())
		}
	}
	s.mu.Unlock()
	seg := e.Value.(*segment)
	if !ok {
		var b buffer
		b.b = make([]byte, 0, segmentSize)
		seg.err = s.from.get(ctx, name.id, name.at*segmentSize, segmentSize, false, &b)
		seg.data = b.b
		if seg.err != nil {
			s.mu.Lock()
			s.drop(e) // the next one may have more luck
			s.mu.Unlock()
		}
		close(seg.done)
	}
	select {
	case <-seg.done:
		return seg.data, seg.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// drop forgets a segment. The lock is held.
func (s *segments) drop(e *list.Element) {
	if name := e.Value.(*segment).name; s.held[name] == e {
		delete(s.held, name)
	}
	s.used.Remove(e)
}
