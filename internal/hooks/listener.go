package hooks

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"sync"
)

// listener passes a command's output on, but for the line that tells its end. Both streams of
// a command may write to it at once.
type listener struct {
	to   io.Writer
	told func() // called once, when the end was told

	mu    sync.Mutex
	line  []byte // the last line as far as it came, while it may be the mark's
	inner bool   // in the middle of a line that is not
	ended bool
	code  int
}

func (l *listener) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		piece := p
		whole := false
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			piece, whole = p[:i+1], true
		}
		p = p[len(piece):]
		l.line = append(l.line, piece...)
		if !whole && !l.inner && couldBeMark(l.line) {
			continue
		}
		if !whole || l.inner || !l.end() {
			if _, err := l.to.Write(l.line); err != nil {
				return n, err //nolint:wrapcheck // the writer's own words
			}
		}
		l.line, l.inner = l.line[:0], !whole
	}
	return n, nil
}

func couldBeMark(line []byte) bool {
	n := min(len(line), len(endMark))
	return string(line[:n]) == endMark[:n] && len(line) < len(endMark)+8
}

// end takes in a whole line, and reports whether it tells the end.
func (l *listener) end() bool {
	text, ok := strings.CutPrefix(strings.TrimSuffix(string(l.line), "\n"), endMark)
	code, err := strconv.Atoi(text)
	if !ok || err != nil || l.ended {
		return false
	}
	l.ended, l.code = true, code
	l.told()
	return true
}

// flush passes on what is left of an unfinished line.
func (l *listener) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.to.Write(l.line) // nobody is left to tell
	l.line = nil
}

// exit is the code that was told.
func (l *listener) exit() (code int, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.code, l.ended
}
