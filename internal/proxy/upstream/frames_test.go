package upstream

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// frameOf makes one of a server (no mask) or, with a mask of zeros, of a client.
func frameOf(op byte, size int, masked bool) []byte {
	b := []byte{0x80 | op}
	var mask byte
	if masked {
		mask = 0x80
	}
	switch {
	case size < 126:
		b = append(b, mask|byte(size))
	case size < 1<<16:
		b = append(b, mask|126, byte(size>>8), byte(size))
	default:
		b = append(b, mask|127, 0, 0, 0, 0, byte(size>>24), byte(size>>16), byte(size>>8), byte(size))
	}
	if masked {
		b = append(b, 0, 0, 0, 0)
	}
	return append(b, bytes.Repeat([]byte{byte(size)}, size)...)
}

func TestFramesAreFollowedHoweverTheyAreCut(t *testing.T) {
	for _, masked := range []bool{false, true} {
		var stream []byte
		var ends []int
		for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 70000, 0, 5} {
			stream = append(stream, frameOf(2, size, masked)...)
			ends = append(ends, len(stream))
		}
		for _, piece := range []int{1, 2, 3, 7, 100, 4096, len(stream)} {
			var f frameReader
			var got []int
			for at := 0; at < len(stream); {
				p := stream[at:min(len(stream), at+piece)]
				for len(p) > 0 {
					n, ended, closes := f.next(p)
					if closes {
						t.Fatal("closes")
					}
					at, p = at+n, p[n:]
					if ended {
						got = append(got, at)
					}
				}
			}
			if len(got) != len(ends) || got[len(got)-1] != ends[len(ends)-1] {
				t.Errorf("masked %t, pieces of %d: frames end at %v, want %v", masked, piece, got, ends)
			}
		}
	}
}

func TestGoodbyeIsSaidBetweenFrames(t *testing.T) {
	first, second := frameOf(1, 300, false), frameOf(1, 10, false)
	for _, tc := range []struct {
		name         string
		before       []byte
		after        []byte
		want         []byte
		closedBefore bool
	}{
		{"at rest", nil, second, closeToClient, false},
		{"between frames", first, second, join(first, closeToClient), false},
		{"in a frame", first[:150], join(first[150:], second), join(first, closeToClient), false},
		{"in a header", first[:1], join(first[1:], second), join(first, closeToClient), false},
		{"closed already", join(first, frameOf(opClose, 2, false)), second, join(first, frameOf(opClose, 2, false)), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			w := newFrameWriter(&out, closeToClient)
			write(t, w, tc.before)
			if w.said != tc.closedBefore {
				t.Errorf("closed: %t", w.said)
			}
			if err := w.leave(); err != nil {
				t.Fatal(err)
			}
			write(t, w, tc.after)
			if !bytes.Equal(out.Bytes(), tc.want) {
				t.Errorf("%d bytes, want %d: ends in %x", out.Len(), len(tc.want), out.Bytes()[max(0, out.Len()-8):])
			}
			write(t, w, frameOf(opClose, 2, false))
			if !w.said {
				t.Error("the sender's own close was not seen")
			}
		})
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func write(t *testing.T, w *frameWriter, p []byte) {
	t.Helper()
	if n, err := w.Write(p); n != len(p) || err != nil {
		t.Fatalf("wrote %d of %d: %v", n, len(p), err)
	}
}

// Whatever the bytes and however they are cut, the frames are the same; what goes out before the
// goodbye are the bytes that came in.
func FuzzFrames(f *testing.F) {
	f.Add(frameOf(1, 5, true), uint8(3))
	f.Add(join(frameOf(1, 200, false), frameOf(opClose, 2, false), frameOf(1, 1, false)), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		run := func(piece int) []byte {
			var out bytes.Buffer
			w := newFrameWriter(&out, closeToClient)
			for at := 0; at < len(stream); at += piece {
				write(t, w, stream[at:min(len(stream), at+piece)])
			}
			return out.Bytes()
		}
		whole, cut := run(max(1, len(stream))), run(int(piece)+1)
		if !bytes.Equal(whole, cut) || !bytes.HasPrefix(stream, whole) {
			t.Errorf("%x: %x whole, %x in pieces", stream, whole, cut)
		}
	})
}

// Both sides of a WebSocket learn that they are to go away, and end.
func TestWebSocketIsClosedPolitely(t *testing.T) {
	backend := make(chan error, 1)
	address := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		_, _, err = conn.ReadMessage()
		backend <- err
	})
	f := startFront(t, Config{}, address)
	leave := make(chan struct{})
	f.leave = leave
	conn := f.webSocket()
	close(leave)
	_, _, err := conn.ReadMessage()
	for who, err := range map[string]error{"client": err, "backend": <-backend} {
		if e, ok := errors.AsType[*websocket.CloseError](err); !ok || e.Code != websocket.CloseGoingAway {
			t.Errorf("%s: %v", who, err)
		}
	}
	if err := <-f.errs; err != nil {
		t.Error(err)
	}
}

// A side that does not agree does not keep it open.
func TestWebSocketThatDoesNotAgreeIsCut(t *testing.T) {
	address := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(io.Discard, conn.NetConn()) // takes all in and answers nothing
	})
	f := startFront(t, Config{}, address)
	leave := make(chan struct{})
	f.leave = leave
	f.webSocket()
	start := time.Now()
	close(leave)
	<-f.errs
	if took := time.Since(start); took < goodbyeTime {
		t.Errorf("cut after %s, both sides have %s", took, goodbyeTime)
	}
}
