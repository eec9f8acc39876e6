package upstream

import (
	"encoding/binary"
	"io"
	"sync"
)

// frameReader follows the frames of a WebSocket (RFC 6455, section 5.2) in a stream of bytes.
type frameReader struct {
	header [14]byte
	have   int    // bytes of the header so far
	left   uint64 // bytes of the payload still to come
}

const opClose = 8

// next takes bytes of p up to the end of the frame that is being read. It gives how many, whether
// the frame has ended with them, and whether it is one that closes the WebSocket.
func (f *frameReader) next(p []byte) (n int, ended, closes bool) {
	for f.left == 0 {
		if n == len(p) {
			return n, false, false
		}
		f.header[f.have] = p[n]
		f.have++
		n++
		if f.have < f.size() {
			continue
		}
		if f.left = f.length(); f.left == 0 {
			return n, f.end(), f.header[0]&0x0f == opClose
		}
	}
	taken := min(uint64(len(p)-n), f.left)
	f.left -= taken
	n += int(taken)
	if f.left > 0 {
		return n, false, false
	}
	return n, f.end(), f.header[0]&0x0f == opClose
}

func (f *frameReader) end() bool { f.have = 0; return true }

// whole reports whether no frame is half read.
func (f *frameReader) whole() bool { return f.have == 0 && f.left == 0 }

// size is that of the header, as far as it is known yet.
func (f *frameReader) size() int {
	if f.have < 2 {
		return 2
	}
	size := 2
	switch f.header[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if f.header[1]&0x80 != 0 {
		size += 4
	}
	return size
}

func (f *frameReader) length() uint64 {
	switch n := f.header[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(f.header[2:]))
	case 127:
		return binary.BigEndian.Uint64(f.header[2:]) &^ (1 << 63) // the highest bit has to be 0
	default:
		return uint64(n)
	}
}

// Frames that close a WebSocket with status 1001, going away. A client's are masked; with zeros
// they read the same.
var (
	closeToClient  = []byte{0x80 | opClose, 2, 0x03, 0xe9}
	closeToBackend = []byte{0x80 | opClose, 0x80 | 2, 0, 0, 0, 0, 0x03, 0xe9}
)

// frameWriter passes one direction of a WebSocket on, and can close it between two frames.
type frameWriter struct {
	goodbye []byte // closeToClient or closeToBackend

	mu      sync.Mutex
	dst     io.Writer
	frames  frameReader
	leaving bool          // goodbye is to be said after this frame
	over    bool          // a frame that closes went out: nothing more does
	closed  chan struct{} // closed when the sender of this direction has said to close
	said    bool          // closed is
}

func newFrameWriter(dst io.Writer, goodbye []byte) *frameWriter {
	return &frameWriter{dst: dst, goodbye: goodbye, closed: make(chan struct{})}
}

// Write never says that less was written than it was given without an error, also where what
// comes after the goodbye is dropped.
func (w *frameWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	size := len(p)
	at := 0 // what is before it goes out
	for at < len(p) {
		n, ended, closes := w.frames.next(p[at:])
		at += n
		if closes && !w.said {
			w.said = true
			close(w.closed)
		}
		if ended && (closes || w.leaving) && !w.over {
			if _, err := w.dst.Write(p[:at]); err != nil {
				return 0, err
			}
			w.over = true
			if !closes {
				if _, err := w.dst.Write(w.goodbye); err != nil {
					return 0, err
				}
			}
			p, at = p[at:], 0
		}
	}
	if w.over {
		return size, nil
	}
	if _, err := w.dst.Write(p); err != nil {
		return 0, err
	}
	return size, nil
}

// leave says goodbye as soon as no frame is half written.
func (w *frameWriter) leave() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaving = true
	if w.over || !w.frames.whole() {
		return nil
	}
	w.over = true
	_, err := w.dst.Write(w.goodbye)
	return err
}
