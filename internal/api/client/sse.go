package client

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// Message is one server-sent event.
type Message struct {
	ID   string // empty where it has none
	Name string
	Data string
}

const lineLimit = 16 << 20 // longest line of a stream

// Messages reads server-sent events to the end of the stream, which is no error. Comments are
// left out.
func Messages(stream io.Reader) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		lines := bufio.NewScanner(stream)
		lines.Buffer(make([]byte, 64<<10), lineLimit)
		var m Message
		var data []string
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ":")
			value = strings.TrimPrefix(value, " ")
			switch {
			case lines.Text() == "":
				if m.Data = strings.Join(data, "\n"); data != nil && !yield(m, nil) {
					return
				}
				m, data = Message{}, nil
			case name == "id":
				m.ID = value
			case name == "event":
				m.Name = value
			case name == "data":
				data = append(data, value)
			}
		}
		if err := lines.Err(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			yield(Message{}, fmt.Errorf("read events: %w", err))
		}
	}
}
