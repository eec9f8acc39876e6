package guard

import "sync"

// connCounts counts the connections of each client. It has no more entries than connections.
type connCounts struct {
	mu sync.Mutex
	n  map[clientKey]int
}

// enter counts one more unless there are limit of them.
func (c *connCounts) enter(key clientKey, limit int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.n[key]
	if n >= limit {
		return false
	}
	c.n[key] = n + 1
	return true
}

func (c *connCounts) leave(key clientKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.n[key]; n > 1 {
		c.n[key] = n - 1
	} else {
		delete(c.n, key)
	}
}
