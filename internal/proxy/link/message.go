package link

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// protocol is the version of the messages. Fields that are added are no new version: who does
// not know one leaves it alone.
const protocol = 1

// Hold is a reason for which a tenant's requests wait at the gate.
type Hold struct {
	Tenant fleet.Name `json:"tenant"`
	Reason string     `json:"reason"`
}

// kind says what a message from the controller is.
type kind string

const (
	kindSnapshot kind = "snapshot" // the whole state
	kindChange   kind = "change"   // what differs from the state before
	kindBeat     kind = "beat"     // a sign of life, to be answered
	kindDrain    kind = "drain"    // say when none of a tenant's requests is with its backend
)

// down is a message from the controller, one line of JSON. A snapshot or a change may come in
// parts; it takes effect, as one, with the part that has not More.
type down struct {
	Kind       kind              `json:"kind"`
	Epoch      string            `json:"epoch,omitempty"`      // snapshot: of this life of the controller
	Generation int64             `json:"generation,omitempty"` // of the state once this has taken effect
	Set        []json.RawMessage `json:"set,omitempty"`        // fleet.Route each
	Gone       []fleet.Domain    `json:"gone,omitempty"`
	Held       []Hold            `json:"held,omitempty"`
	Resumed    []Hold            `json:"resumed,omitempty"`
	More       bool              `json:"more,omitempty"`
	Sum        string            `json:"sum,omitempty"` // of the whole state, see state.sum

	Drain  int64      `json:"drain,omitempty"` // number of the question
	Tenant fleet.Name `json:"tenant,omitempty"`
}

// up is a message from a proxy, one line of JSON. Each is a sign of life. The first is a hello.
type up struct {
	Hello   *hello     `json:"hello,omitempty"`
	Seen    int64      `json:"seen,omitempty"`    // generation that is in use
	Observe fleet.Name `json:"observe,omitempty"` // look at this tenant: its backend refuses
	Drained int64      `json:"drained,omitempty"` // the number of a drain that is over
	Bye     bool       `json:"bye,omitempty"`     // it stops, and answers nobody any more
}

type hello struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"` // of lxdfleet
}

const (
	longestDown = 32 << 20
	longestUp   = 64 << 10
	// A part ends once it has this many bytes of routes.
	partBytes = 256 << 10
)

// lines reads messages.
type lines struct{ scan *bufio.Scanner }

func newLines(r io.Reader, longest int) lines {
	scan := bufio.NewScanner(r)
	scan.Buffer(make([]byte, 0, 4096), longest)
	return lines{scan}
}

// next reads one message into v; io.EOF after the last.
func (l lines) next(v any) error {
	if !l.scan.Scan() {
		if err := l.scan.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	if err := json.Unmarshal(l.scan.Bytes(), v); err != nil {
		return fmt.Errorf("read a message: %w", err)
	}
	return nil
}

// encode gives the line of a message.
func encode(v any) ([]byte, error) {
	line, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write a message: %w", err)
	}
	return append(line, '\n'), nil
}

// parts cuts a snapshot or change so that no line grows without bounds.
func parts(m down) []down {
	all := m.Set
	m.Set = nil
	var out []down
	size := 0
	part := down{Kind: m.Kind, More: true}
	for _, raw := range all {
		if size > partBytes {
			out = append(out, part)
			part, size = down{Kind: m.Kind, More: true}, 0
		}
		part.Set = append(part.Set, raw)
		size += len(raw)
	}
	m.Set = part.Set
	return append(out, m)
}

var errSequence = errors.New("a message is missing")

// gather puts the parts of a message together. The whole has no More.
func gather(have *down, part down) (*down, error) {
	if have == nil {
		return &part, nil
	}
	if have.Kind != part.Kind {
		return nil, fmt.Errorf("a %s follows a part of a %s: %w", part.Kind, have.Kind, errSequence)
	}
	part.Set = slices.Concat(have.Set, part.Set)
	return &part, nil
}
