package guard

import "time"

// Write gives p to the client. Where nothing of it is taken in for longer than WriteStall it
// fails, and the connection with it.
func (c *Conn) Write(p []byte) (int, error) {
	if stall := c.l.cfg.WriteStall; stall > 0 && !c.writeOther.Load() {
		now := time.Now()
		if c.writeBy.Load()-now.UnixNano() < int64(stall/2) {
			by := now.Add(stall)
			c.writeBy.Store(by.UnixNano())
			if err := c.top.SetWriteDeadline(by); err != nil {
				return 0, err
			}
		}
	}
	return c.top.Write(p)
}

// longAgo is after the time that net/http calls a read off with, the second after 1970 began.
var longAgo = time.Unix(10, 0)

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets until when a Read waits. net/http takes deadlines away far more often
// than it sets them; taking one away where there is none costs nothing.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if !c.ahead.limit(!t.IsZero(), t.Before(longAgo)) {
		return nil
	}
	return c.top.SetReadDeadline(t)
}

// SetWriteDeadline sets until when a Write waits, in place of WriteStall; no deadline brings
// that back.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		if !c.writeOther.Swap(false) {
			return nil
		}
		c.writeBy.Store(0)
	} else {
		c.writeOther.Store(true)
	}
	return c.top.SetWriteDeadline(t)
}
