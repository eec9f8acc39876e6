package accesslog

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Entry is one request.
type Entry struct {
	Time      time.Time // when its header was there
	Tenant    fleet.Name
	Host      string // as the client wrote it
	Method    string
	Path      string // without the query
	Proto     string
	Status    int   // 499: the client left before an answer
	In, Out   int64 // bytes of the bodies
	Took      time.Duration
	FirstByte time.Duration // to the beginning of the answer; 0: there was none
	Held      time.Duration // part of Took
	Client    string        // address
	Backend   string        // last one tried
	Tries     int
	Whole     bool   // the answer did not break off
	RequestID string // as the backend was told
}

// longest is how many bytes of a text that a client chose are written.
const longest = 4 << 10

// append appends the entry as a line of JSON. Times are in seconds.
func (e *Entry) append(b []byte) []byte {
	b = append(b, `{"time":"`...)
	b = e.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = appendText(append(b, `","tenant":`...), string(e.Tenant))
	b = appendText(append(b, `,"host":`...), e.Host)
	b = appendText(append(b, `,"method":`...), e.Method)
	b = appendText(append(b, `,"path":`...), e.Path)
	b = appendText(append(b, `,"proto":`...), e.Proto)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(e.Status), 10)
	b = strconv.AppendInt(append(b, `,"bytes":`...), e.Out, 10)
	b = strconv.AppendInt(append(b, `,"received":`...), e.In, 10)
	b = appendSeconds(append(b, `,"took":`...), e.Took)
	b = appendSeconds(append(b, `,"first_byte":`...), e.FirstByte)
	b = appendSeconds(append(b, `,"held":`...), e.Held)
	b = appendText(append(b, `,"client":`...), e.Client)
	b = appendText(append(b, `,"backend":`...), e.Backend)
	b = strconv.AppendInt(append(b, `,"tries":`...), int64(e.Tries), 10)
	b = strconv.AppendBool(append(b, `,"whole":`...), e.Whole)
	b = appendText(append(b, `,"request_id":`...), e.RequestID)
	return append(b, "}\n"...)
}

// appendSeconds appends d in seconds, to the microsecond.
func appendSeconds(b []byte, d time.Duration) []byte {
	us := max(0, d.Microseconds())
	b = strconv.AppendInt(b, us/1e6, 10)
	if us %= 1e6; us == 0 {
		return b
	}
	b = append(b, '.')
	for digit := int64(1e5); us > 0; digit /= 10 {
		b = append(b, byte('0'+us/digit))
		us %= digit
	}
	return b
}

const hexDigits = "0123456789abcdef"

// appendText appends s as a JSON string, cut where it is too long. What is not UTF-8 is replaced.
func appendText(b []byte, s string) []byte {
	s = s[:min(len(s), longest)]
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch {
			case c == '"' || c == '\\':
				b = append(b, '\\', c)
			case c < ' ' || c == 0x7f:
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			default:
				b = append(b, c)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		b = utf8.AppendRune(b, r) // utf8.RuneError for what is none
		i += size
	}
	return append(b, '"')
}
