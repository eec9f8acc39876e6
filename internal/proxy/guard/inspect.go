package guard

import (
	"bytes"
	"math"
	"strings"
)

// shapeError says why a request is refused. net/http answers an error of this kind from a
// connection with 400 and closes the connection.
type shapeError string

func (e shapeError) Error() string { return "refused: " + string(e) }

// The shapes that are refused. Most of them net/http would accept.
const (
	errBareLine     shapeError = "a line does not end with CR LF"
	errStrayCR      shapeError = "a CR within a line"
	errFolded       shapeError = "a folded header line"
	errFieldLine    shapeError = "a header line is not name:value"
	errRequestLine  shapeError = "the request line is malformed"
	errVersion      shapeError = "not HTTP/1.1 or HTTP/1.0"
	errTarget       shapeError = "the request's target is not a path"
	errTwoHosts     shapeError = "several Host headers"
	errOtherHost    shapeError = "target and Host name different hosts"
	errTwoLengths   shapeError = "several Content-Length headers"
	errLength       shapeError = "Content-Length is not a number"
	errBothLengths  shapeError = "both Content-Length and Transfer-Encoding"
	errCoding       shapeError = "a Transfer-Encoding other than chunked"
	errCoding10     shapeError = "Transfer-Encoding with HTTP/1.0"
	errChunk        shapeError = "a malformed chunk"
	errTrailerField shapeError = "a trailer with a header that belongs in front"
	errLongLine     shapeError = "a line without end"
	errPreface      shapeError = "another protocol than was agreed on"
)

// phase is where in a connection's bytes the inspector is.
type phase uint8

const (
	inStart     phase = iota // before a request line
	inHeader                 // before a header line
	inBody                   // in a body of known length
	inChunkSize              // before the line with a chunk's size
	inChunk                  // in the bytes of a chunk
	inChunkEnd               // after them, before their line end
	inTrailer                // before a trailer's line
)

// longestLine is more than net/http takes at its largest setting in use, so its answer (431)
// comes first. keptLine is the most that is kept from one request to the next.
const (
	longestLine = 2 << 20
	keptLine    = 1 << 10
)

// inspector follows the bytes that a client sends over an HTTP/1 connection, from request to
// request. It reads them strictly; what it lets pass net/http cannot read otherwise.
type inspector struct {
	phase phase
	left  int64  // of a body or chunk
	part  []byte // of a line that has not ended yet

	// Of the request whose header is read:
	blank     bool   // an empty line was before it
	old       bool   // HTTP/1.0
	hosts     bool   // a Host was seen
	chunked   bool   // a Transfer-Encoding was seen
	length    int64  // Content-Length; -1: none seen
	authority string // of an absolute target
}

// feed takes the next bytes and gives how many of them may be passed on: all of them, or those
// before the end of the line that is refused. Without its end nobody reads that line. How the
// bytes are cut into calls makes no difference.
func (i *inspector) feed(p []byte) (int, error) {
	for at := 0; at < len(p); {
		if i.phase == inBody || i.phase == inChunk {
			n := int(min(i.left, int64(len(p)-at)))
			at += n
			if i.left -= int64(n); i.left == 0 {
				i.bodyRead()
			}
			continue
		}
		end := bytes.IndexByte(p[at:], '\n')
		if end < 0 {
			if len(i.part)+len(p)-at > longestLine {
				return at, errLongLine
			}
			i.part = append(i.part, p[at:]...)
			return len(p), nil
		}
		line := p[at : at+end]
		if len(i.part) > 0 {
			i.part = append(i.part, line...)
			line = i.part
		}
		// One search finds both what is missing at the end and what is too much before it.
		switch cr := bytes.IndexByte(line, '\r'); {
		case cr < 0:
			return at + end, errBareLine
		case cr < len(line)-1:
			return at + end, errStrayCR
		}
		if err := i.line(line[:len(line)-1]); err != "" {
			return at + end, err
		}
		if i.part = i.part[:0]; cap(i.part) > keptLine {
			i.part = nil
		}
		at += end + 1
	}
	return len(p), nil
}

func (i *inspector) bodyRead() {
	if i.phase == inChunk {
		i.phase = inChunkEnd
		return
	}
	i.phase = inStart
}

// line takes a line without its end. It gives "" where all is well.
func (i *inspector) line(line []byte) shapeError {
	switch i.phase {
	case inStart:
		return i.requestLine(line)
	case inHeader:
		if len(line) == 0 {
			i.headerRead()
			return ""
		}
		return i.field(line)
	case inChunkSize:
		return i.chunkSize(line)
	case inChunkEnd:
		if len(line) != 0 {
			return errChunk
		}
		i.phase = inChunkSize
		return ""
	}
	if len(line) == 0 {
		i.phase = inStart
		return ""
	}
	return trailerField(line)
}

func (i *inspector) requestLine(line []byte) shapeError {
	if len(line) == 0 {
		if i.blank { // one is for clients that end a body with a line end too many
			return errRequestLine
		}
		i.blank = true
		return ""
	}
	const version = len(" HTTP/1.1")
	if len(line) < version {
		return errRequestLine
	}
	rest, proto := line[:len(line)-version], line[len(line)-version:]
	*i = inspector{phase: inHeader, part: i.part, length: -1}
	switch {
	case string(proto) == " HTTP/1.1":
	case string(proto) == " HTTP/1.0":
		i.old = true
	default:
		return errVersion
	}
	method, target, _ := bytes.Cut(rest, []byte{' '})
	if len(method) == 0 || len(target) == 0 || bytes.IndexByte(target, ' ') >= 0 || bytes.IndexByte(target, '#') >= 0 {
		return errRequestLine
	}
	return i.target(method, target)
}

// target checks the form of the request's target and notes the host of an absolute one.
func (i *inspector) target(method, target []byte) shapeError {
	switch {
	case target[0] == '/', string(method) == "CONNECT", string(target) == "*" && string(method) == "OPTIONS":
		return ""
	}
	scheme, rest, ok := bytes.Cut(target, []byte("://"))
	if !ok || !bytes.EqualFold(scheme, []byte("http")) && !bytes.EqualFold(scheme, []byte("https")) {
		return errTarget
	}
	if end := bytes.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	if len(rest) == 0 || bytes.IndexByte(rest, '@') >= 0 {
		return errTarget
	}
	i.authority = string(rest)
	return ""
}

// field looks at one header line. Names and values as such are net/http's to check.
func (i *inspector) field(line []byte) shapeError {
	name, value, err := splitField(line)
	if err != "" {
		return err
	}
	switch len(name) {
	case len("Host"):
		if foldEqual(name, "host") {
			return i.host(value)
		}
	case len("Content-Length"):
		if foldEqual(name, "content-length") {
			return i.contentLength(value)
		}
	case len("Transfer-Encoding"):
		if foldEqual(name, "transfer-encoding") {
			return i.transferEncoding(value)
		}
	}
	return ""
}

func splitField(line []byte) (name, value []byte, err shapeError) {
	if line[0] == ' ' || line[0] == '\t' {
		return nil, nil, errFolded
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || line[colon-1] == ' ' || line[colon-1] == '\t' {
		return nil, nil, errFieldLine
	}
	return line[:colon], line[colon+1:], ""
}

func (i *inspector) host(value []byte) shapeError {
	if i.hosts {
		return errTwoHosts
	}
	i.hosts = true
	if i.authority != "" && !sameHost(i.authority, string(trimSpace(value))) {
		return errOtherHost
	}
	return ""
}

func (i *inspector) contentLength(value []byte) shapeError {
	switch {
	case i.length >= 0:
		return errTwoLengths
	case i.chunked:
		return errBothLengths
	}
	value = trimSpace(value)
	if len(value) == 0 || len(value) > 18 { // more would not fit
		return errLength
	}
	i.length = 0
	for _, c := range value {
		if c < '0' || c > '9' {
			return errLength
		}
		i.length = i.length*10 + int64(c-'0')
	}
	return ""
}

func (i *inspector) transferEncoding(value []byte) shapeError {
	switch {
	case i.old:
		return errCoding10
	case i.length >= 0:
		return errBothLengths
	case i.chunked || !foldEqual(trimSpace(value), "chunked"):
		return errCoding
	}
	i.chunked = true
	return ""
}

func (i *inspector) headerRead() {
	switch {
	case i.chunked:
		i.phase = inChunkSize
	case i.length > 0:
		i.phase, i.left = inBody, i.length
	default:
		i.phase = inStart
	}
	i.blank, i.authority = false, ""
}

// chunkSize takes the line before a chunk. Extensions may follow the size, as RFC 9112 wants;
// nobody behind the proxy sees them.
func (i *inspector) chunkSize(line []byte) shapeError {
	var size uint64
	digits := 0
	for _, c := range line {
		d, ok := hexDigit(c)
		if !ok {
			break
		}
		size = size<<4 | uint64(d)
		digits++
	}
	if digits == 0 || digits > 16 || size > math.MaxInt64 || digits < len(line) && line[digits] != ';' {
		return errChunk
	}
	if i.phase = inChunk; size == 0 {
		i.phase = inTrailer
	}
	i.left = int64(size)
	return ""
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// trailerField refuses headers that would say something of the message they come too late for.
func trailerField(line []byte) shapeError {
	name, _, err := splitField(line)
	if err != "" {
		return err
	}
	for _, front := range [...]string{"host", "content-length", "transfer-encoding", "trailer"} {
		if foldEqual(name, front) {
			return errTrailerField
		}
	}
	return ""
}

// foldEqual compares without regard to the case of ASCII letters; lower is in lower case. (That
// of bytes and strings also takes a Kelvin sign for a k.)
func foldEqual(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// sameHost compares two authorities, where one may leave out the usual port.
func sameHost(a, b string) bool {
	return strings.EqualFold(usualPort(a), usualPort(b))
}

func usualPort(authority string) string {
	if host, ok := strings.CutSuffix(authority, ":443"); ok {
		return host
	}
	return strings.TrimSuffix(authority, ":80")
}
