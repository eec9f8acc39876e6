package upstream

import "errors"

// chunks takes the chunked coding off a body (RFC 9112, section 7.1), in place and as the bytes
// come: it never has to see a line whole.
type chunks struct {
	state   int
	left    int64 // of the chunk's data
	digits  int   // of the chunk's size read
	line    int   // bytes of the size line after the digits
	trailer []byte
	max     int // bytes the trailer may have
}

// States, each named for what comes next.
const (
	chunkSize = iota
	chunkExtension
	chunkPadding // spaces after a size, which old servers send
	chunkLF
	chunkData
	chunkDataCR
	chunkDataLF
	chunkTrailer // lines up to the empty one
	chunkEnd
)

// longestExtension is how many bytes may follow a chunk's size in its line.
const longestExtension = 256

var (
	errChunk   = errors.New("the backend's chunks are malformed")
	errTrailer = errors.New("the backend's trailer is too large")
)

// decode reads p and moves the data in it to the front of p. It gives the data and how many
// bytes of p belong to the body, which is all of them until the end is reached.
func (c *chunks) decode(p []byte) (data []byte, n int, err error) {
	kept := 0
	for n < len(p) && c.state != chunkEnd {
		if c.state == chunkData {
			k := int(min(c.left, int64(len(p)-n)))
			copy(p[kept:], p[n:n+k])
			kept += k
			n += k
			if c.left -= int64(k); c.left == 0 {
				c.state = chunkDataCR
			}
			continue
		}
		if err := c.step(p[n]); err != nil {
			return p[:kept], n, err
		}
		n++
	}
	return p[:kept], n, nil
}

// done reports whether the body's end was read.
func (c *chunks) done() bool { return c.state == chunkEnd }

// step takes one byte that is not data.
func (c *chunks) step(b byte) error {
	switch c.state {
	case chunkSize:
		if d, ok := unhex(b); ok {
			if c.digits++; c.digits > 15 {
				return errChunk
			}
			c.left = c.left<<4 | int64(d)
			return nil
		}
		if c.digits == 0 {
			return errChunk
		}
		return c.extension(b)
	case chunkExtension, chunkPadding:
		return c.extension(b)
	case chunkLF:
		if b != '\n' {
			return errChunk
		}
		c.digits, c.line = 0, 0
		if c.state = chunkData; c.left == 0 {
			c.state = chunkTrailer
		}
	case chunkDataCR:
		if b != '\r' {
			return errChunk
		}
		c.state = chunkDataLF
	case chunkDataLF:
		if b != '\n' {
			return errChunk
		}
		c.state = chunkSize
	case chunkTrailer:
		return c.trail(b)
	}
	return nil
}

// extension takes a byte of what may follow a size; it has no meaning here.
func (c *chunks) extension(b byte) error {
	space := b == ' ' || b == '\t'
	switch {
	case b == '\r':
		c.state = chunkLF
	case space && c.line == 0:
		c.state = chunkPadding
	case c.state == chunkPadding && !space, c.line == 0 && b != ';', b < ' ' && !space, b == 0x7f:
		return errChunk
	case c.line == 0:
		c.state = chunkExtension
	}
	if c.line++; c.line > longestExtension {
		return errChunk
	}
	return nil
}

// trail takes a byte of the trailer, and sees its end.
func (c *chunks) trail(b byte) error {
	if len(c.trailer) >= c.max {
		return errTrailer
	}
	c.trailer = append(c.trailer, b)
	n := len(c.trailer)
	if b != '\n' {
		return nil
	}
	if n < 2 || c.trailer[n-2] != '\r' {
		return errChunk
	}
	if n == 2 || c.trailer[n-3] == '\n' {
		c.state = chunkEnd
	}
	return nil
}

// fields gives the trailer of a body that is done.
func (c *chunks) fields() ([]field, error) {
	if len(c.trailer) == 2 {
		return nil, nil
	}
	return appendFields(nil, string(c.trailer))
}

func unhex(b byte) (byte, bool) {
	switch {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'a' <= b && b <= 'f':
		return b - 'a' + 10, true
	case 'A' <= b && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}
