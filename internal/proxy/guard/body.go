package guard

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// ErrSlow is what reading a body gives that comes too slowly.
var ErrSlow = fmt.Errorf("the client sends its request too slowly: %w", os.ErrDeadlineExceeded)

// BodyLimits bound a request's body. Zero fields take the defaults named here.
type BodyLimits struct {
	// Max is the largest body in bytes; 0: any.
	Max int64
	// MinRate is what a client has to send on average, in bytes per second; default 240.
	// Negative: as slowly as it likes.
	MinRate int64
	// Grace is how long it may take before the average counts; default 10 s.
	Grace time.Duration
	// Stall is the longest a client may send nothing at all, however fast it was before;
	// default 60 s.
	Stall time.Duration
}

func (l BodyLimits) withDefaults() BodyLimits {
	if l.MinRate == 0 {
		l.MinRate = 240
	}
	if l.Grace == 0 {
		l.Grace = 10 * time.Second
	}
	if l.Stall == 0 {
		l.Stall = time.Minute
	}
	l.Stall = max(l.Stall, l.Grace)
	return l
}

// Limit puts r's body under limits. It refuses one that says itself that it is too large, with
// 413. A body that turns out to be too large gives *http.MaxBytesError when it is read, one that
// comes too slowly ErrSlow; both for good. Requests without a body and tunnels are left as they
// are, and the rate does not hold for gRPC, whose bodies are conversations.
//
// Only the time in which a body is waited for counts, so a backend that is slow to take it in
// does no harm. There is one timer for a body and no goroutine.
func Limit(w http.ResponseWriter, r *http.Request, limits BodyLimits) *Refusal {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 || r.Method == http.MethodConnect {
		return nil
	}
	if limits.Max > 0 && r.ContentLength > limits.Max {
		return &Refusal{
			Status: http.StatusRequestEntityTooLarge, Reason: ReasonBodySize,
			Detail: fmt.Sprintf("a body of %d bytes, where %d may be", r.ContentLength, limits.Max),
		}
	}
	limits = limits.withDefaults()
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		limits.MinRate = -1
	}
	if limits.MinRate < 0 && limits.Max == 0 {
		return nil
	}
	r.Body = &Body{inner: r.Body, w: w, limits: limits, left: limits.Max, budget: limits.Grace}
	return nil
}

// restTime is how long the rest of a body may take that nobody wants.
const restTime = 500 * time.Millisecond

// Abandon readies w for an answer that is given instead of reading r's body. Over HTTP/1
// net/http reads on for a while before such an answer goes out, so that the connection can be
// kept; without this it would wait for a silent client as long as that likes.
func Abandon(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(restTime)) // no server's request has no rest
	}
}

// Body is a request's body under limits.
type Body struct {
	inner  io.ReadCloser
	w      http.ResponseWriter
	limits BodyLimits
	left   int64 // of Max

	mu      sync.Mutex
	budget  time.Duration // how long the next bytes may be waited for
	began   time.Time     // of the Read that is going on; zero: none
	timer   *time.Timer   // nil before the first Read
	stopped bool
	failed  error
}

// Read reads the body. Errors as of Limit.
func (b *Body) Read(p []byte) (int, error) {
	if b.limits.Max > 0 && int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more, to see that there is more
	}
	if err := b.begin(); err != nil {
		return 0, err
	}
	n, err := b.inner.Read(p)
	return b.end(n, err)
}

// begin starts the clock.
func (b *Body) begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed != nil || b.limits.MinRate < 0 {
		return b.failed
	}
	b.began = time.Now()
	if b.timer == nil {
		b.timer = time.AfterFunc(b.budget, b.look)
	}
	return nil
}

// end stops the clock and says what is left on it.
func (b *Body) end(n int, err error) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.limits.MinRate >= 0 {
		earned := time.Duration(int64(n) * int64(time.Second) / b.limits.MinRate)
		b.budget = min(b.budget-time.Since(b.began)+earned, b.limits.Stall)
		b.began = time.Time{}
		if err != nil {
			b.stop()
		}
	}
	if b.failed != nil {
		return 0, b.failed
	}
	if b.limits.Max > 0 {
		if int64(n) > b.left {
			b.failed = &http.MaxBytesError{Limit: b.limits.Max}
			b.stop()
			n, b.left = int(b.left), 0
			return n, b.failed
		}
		b.left -= int64(n)
	}
	return n, err
}

// look is run by the timer: it ends a Read that has taken too long, or looks again when that
// can be the case at the earliest. The lock keeps it from ending anything but this body's Read.
func (b *Body) look() {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopped:
	case b.began.IsZero(): // not waiting: look again when a Read that began now would be over
		b.timer.Reset(max(b.budget, time.Second))
	default:
		if left := b.budget - time.Since(b.began); left > 0 {
			b.timer.Reset(left)
			return
		}
		b.failed = ErrSlow
		b.stop()
		err := http.NewResponseController(b.w).SetReadDeadline(time.Unix(1, 0))
		if errors.Is(err, http.ErrNotSupported) { // no server's request; Close ends most readers
			_ = b.inner.Close()
		}
	}
}

func (b *Body) stop() {
	b.stopped = true
	if b.timer != nil {
		b.timer.Stop()
	}
}

// Close closes the body.
func (b *Body) Close() error {
	b.mu.Lock()
	b.stop()
	b.mu.Unlock()
	return b.inner.Close()
}
