package upstream

import (
	"fmt"
	"strings"
	"testing"
)

// decodeIn decodes text that comes in pieces of n bytes.
func decodeIn(text string, n int) (data, rest string, c *chunks, err error) {
	c = &chunks{max: 100}
	for text != "" && !c.done() {
		piece := []byte(text[:min(n, len(text))])
		got, used, err := c.decode(piece)
		data += string(got)
		if err != nil {
			return data, text, c, err
		}
		text = text[used:]
	}
	return data, text, c, nil
}

func TestChunks(t *testing.T) {
	for name, tc := range map[string]struct {
		text, data, rest, trailer string
	}{
		"one":          {"5\r\nhello\r\n0\r\n\r\n", "hello", "", "[]"},
		"none":         {"0\r\n\r\n", "", "", "[]"},
		"several":      {"5\r\nhello\r\n1\r\n \r\n00a\r\n0123456789\r\n000\r\n\r\n", "hello 0123456789", "", "[]"},
		"hexadecimal":  {"A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a", "", "[]"},
		"leftover":     {"1\r\na\r\n0\r\n\r\nHTTP/1.1 200", "a", "HTTP/1.1 200", "[]"},
		"extension":    {"1;a=b\r\na\r\n0;x\r\n\r\n", "a", "", "[]"},
		"padding":      {"1  \r\na\r\n0\r\n\r\n", "a", "", "[]"},
		"trailer":      {"0\r\nX-Sum: 1\r\nx-b: 2\r\n\r\nrest", "", "rest", "[{X-Sum 1} {X-B 2}]"},
		"data as size": {"3\r\n0\r\n\r\n0\r\n\r\n", "0\r\n", "", "[]"},
	} {
		for n := 1; n <= len(tc.text); n++ {
			data, rest, c, err := decodeIn(tc.text, n)
			if err != nil || !c.done() || data != tc.data || rest != tc.rest {
				t.Fatalf("%s in pieces of %d: %q, %q left, done %v, %v", name, n, data, rest, c.done(), err)
			}
			if fields, err := c.fields(); err != nil || fmt.Sprint(fields) != tc.trailer {
				t.Fatalf("%s: trailer %v, %v", name, fields, err)
			}
		}
	}
}

func TestChunksRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no size":             "\r\nhello\r\n0\r\n\r\n",
		"not a number":        "x\r\n",
		"negative":            "-1\r\n",
		"0x":                  "0x5\r\nhello\r\n",
		"leading space":       " 5\r\nhello\r\n",
		"too large":           "fffffffffffffffff\r\n",
		"bare line feed":      "5\nhello\r\n",
		"return within":       "5\r5\r\nhello",
		"data longer":         "5\r\nhello!\r\n",
		"data ends with LF":   "5\r\nhello\n",
		"extension with LF":   "5;a\nhello\r\n",
		"extension with NUL":  "5;\x00\r\nhello\r\n",
		"padding, then more":  "5 6\r\nhello\r\n",
		"long extension":      "5;" + strings.Repeat("a", 300) + "\r\nhello\r\n",
		"trailer with LF":     "0\r\nX: y\n\r\n",
		"trailer too long":    "0\r\nX: " + strings.Repeat("y", 200) + "\r\n\r\n",
		"trailer of LFs only": "0\r\n\n",
	} {
		for n := 1; n <= len(text); n++ {
			if data, _, _, err := decodeIn(text, n); err == nil {
				t.Fatalf("%s in pieces of %d: taken, %q", name, n, data)
			}
		}
	}
	for name, text := range map[string]string{"no colon": "0\r\nX y\r\n\r\n", "folded": "0\r\nX: y\r\n z\r\n\r\n", "bad name": "0\r\nX y: z\r\n\r\n"} {
		_, _, c, err := decodeIn(text, 100)
		if err == nil {
			_, err = c.fields()
		}
		if err == nil {
			t.Errorf("trailer, %s: taken", name)
		}
	}
}
