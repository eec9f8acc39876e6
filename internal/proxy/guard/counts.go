package guard

import (
	"sync"
	"sync/atomic"
)

// Conns counts open connections, in all and of each client. It has no more entries than there
// are connections. The zero value is ready.
type Conns struct {
	open atomic.Int64
	mu   sync.Mutex
	n    map[clientKey]int
}

// Open is how many connections are open.
func (c *Conns) Open() int { return int(c.open.Load()) }

// enter counts one more of a client unless there are limit of them.
func (c *Conns) enter(key clientKey, limit int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.n[key]
	if n >= limit {
		return false
	}
	if c.n == nil {
		c.n = make(map[clientKey]int)
	}
	c.n[key] = n + 1
	return true
}

func (c *Conns) leave(key clientKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.n[key]; n > 1 {
		c.n[key] = n - 1
	} else {
		delete(c.n, key)
	}
}
