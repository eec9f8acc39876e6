package images

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// transcript passes text on and remembers its end, for error messages. It may be written to
// from several goroutines (a command's two streams).
type transcript struct {
	mu   sync.Mutex
	to   io.Writer
	tail []byte
}

const tailBytes = 2 << 10

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tail = append(t.tail, p...)
	if over := len(t.tail) - tailBytes; over > 0 {
		t.tail = append(t.tail[:0], t.tail[over:]...)
	}
	// A watcher that went away must not end the build.
	if _, err := t.to.Write(p); err != nil {
		t.to = io.Discard
	}
	return len(p), nil
}

// last gives the last lines that are not blank, at most n, joined by " | ".
func (t *transcript) last(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for line := range bytes.Lines(t.tail) {
		if s := strings.TrimSpace(strings.ToValidUTF8(string(line), "")); s != "" {
			lines = append(lines, s)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}
