package repository

import (
	"context"
	"sync"
)

// room bounds how many bytes are read ahead.
type room struct {
	mu    sync.Mutex
	free  int64
	freed chan struct{} // closed and made anew at each give
}

func newRoom(bytes int64) *room { return &room{free: bytes, freed: make(chan struct{})} }

// take takes bytes, waiting until there is any room: one piece may be larger than all of it. It
// reports whether ctx allowed it.
func (r *room) take(ctx context.Context, n int64) bool {
	for {
		r.mu.Lock()
		if r.free > 0 {
			r.free -= n
			r.mu.Unlock()
			return true
		}
		freed := r.freed
		r.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
	}
}

func (r *room) give(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free += n
	close(r.freed)
	r.freed = make(chan struct{})
}
