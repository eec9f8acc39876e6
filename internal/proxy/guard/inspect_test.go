package guard

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// shape is a request and what the inspector says of it; nil: it is net/http that refuses it.
type shape struct {
	raw  string
	want error
}

// shapes are requests that must be refused, each otherwise well-formed.
var shapes = map[string]shape{
	"Content-Length and Transfer-Encoding": {"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", errBothLengths},
	"Transfer-Encoding and Content-Length": {"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", errBothLengths},
	"a length twice, equal":                {"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", errTwoLengths},
	"a length twice, different":            {"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\nxx", errTwoLengths},
	"a length twice in a list":             {"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1, 1\r\n\r\nx", errLength},
	"a length with a sign":                 {"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: +1\r\n\r\nx", errLength},
	"a negative length":                    {"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: -1\r\n\r\n", errLength},
	"an empty length":                      {"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length:\r\n\r\n", errLength},
	"a length in hex":                      {"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0x1\r\n\r\nx", errLength},
	"a length beyond 64 bits":              {"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 18446744073709551617\r\n\r\nx", errLength},
	"bare LF after the request line":       {"GET / HTTP/1.1\nHost: a.example\r\n\r\n", errBareLine},
	"bare LF after a header line":          {"GET / HTTP/1.1\r\nHost: a.example\nX: y\r\n\r\n", errBareLine},
	"bare LF at the header's end":          {"GET / HTTP/1.1\r\nHost: a.example\r\n\n", errBareLine},
	"bare LF everywhere":                   {"GET / HTTP/1.1\nHost: a.example\n\n", errBareLine},
	"CR within a value":                    {"GET / HTTP/1.1\r\nHost: a.example\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n", errStrayCR},
	"CR CR LF":                             {"GET / HTTP/1.1\r\nHost: a.example\r\nX: a\r\r\n\r\n", errStrayCR},
	"a folded line":                        {"GET / HTTP/1.1\r\nHost: a.example\r\nX: a\r\n b\r\n\r\n", errFolded},
	"a folded line by tab":                 {"GET / HTTP/1.1\r\nHost: a.example\r\nX: a\r\n\tb\r\n\r\n", errFolded},
	"a folded Transfer-Encoding":           {"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", errCoding},
	"a first line that is folded":          {"GET / HTTP/1.1\r\n Host: a.example\r\nHost: a.example\r\n\r\n", errFolded},
	"space before the colon":               {"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length : 1\r\n\r\nx", errFieldLine},
	"tab before the colon":                 {"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", errFieldLine},
	"no colon":                             {"GET / HTTP/1.1\r\nHost: a.example\r\nX\r\n\r\n", errFieldLine},
	"no name":                              {"GET / HTTP/1.1\r\nHost: a.example\r\n: x\r\n\r\n", errFieldLine},
	"Transfer-Encoding chunked, identity":  {"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", errCoding},
	"Transfer-Encoding gzip, chunked":      {"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", errCoding},
	"Transfer-Encoding identity":           {"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: identity\r\n\r\n", errCoding},
	"Transfer-Encoding xchunked":           {"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", errCoding},
	"Transfer-Encoding with VT":            {"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", errCoding},
	"Transfer-Encoding quoted":             {"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", errCoding},
	"Transfer-Encoding empty":              {"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding:\r\n\r\n", errCoding},
	"Transfer-Encoding twice":              {"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", errCoding},
	"Transfer-Encoding twice, one unknown": {"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n\r\n0\r\n\r\n", errCoding},
	"Transfer-Encoding with HTTP/1.0":      {"POST / HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", errCoding10},
	"an absolute target with another Host": {"GET https://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", errOtherHost},
	"an absolute target, Host empty":       {"GET https://b.example/ HTTP/1.1\r\nHost:\r\n\r\n", errOtherHost},
	"an absolute target with another port": {"GET https://a.example:8080/ HTTP/1.1\r\nHost: a.example\r\n\r\n", errOtherHost},
	"an absolute target with a user":       {"GET https://a.example@b.example/ HTTP/1.1\r\nHost: a.example@b.example\r\n\r\n", errTarget},
	"an absolute target of another scheme": {"GET ftp://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", errTarget},
	"a target without a slash":             {"GET index.html HTTP/1.1\r\nHost: a.example\r\n\r\n", errTarget},
	"a star that is not OPTIONS":           {"GET * HTTP/1.1\r\nHost: a.example\r\n\r\n", errTarget},
	"two Hosts":                            {"GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n", errTwoHosts},
	"the same Host twice":                  {"GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n", errTwoHosts},
	"no Host":                              {"GET / HTTP/1.1\r\nX: y\r\n\r\n", nil},
	"a Host with a slash":                  {"GET / HTTP/1.1\r\nHost: a.example/b\r\n\r\n", nil},
	"NUL in a value":                       {"GET / HTTP/1.1\r\nHost: a.example\r\nX: a\x00b\r\n\r\n", nil},
	"NUL in a name":                        {"GET / HTTP/1.1\r\nHost: a.example\r\nX\x00: ab\r\n\r\n", nil},
	"a space in a name":                    {"GET / HTTP/1.1\r\nHost: a.example\r\nTransfer Encoding: chunked\r\n\r\n", nil},
	"a space in the target":                {"GET /a b HTTP/1.1\r\nHost: a.example\r\n\r\n", errRequestLine},
	"two spaces after the method":          {"GET  / HTTP/1.1\r\nHost: a.example\r\n\r\n", errRequestLine},
	"a tab after the method":               {"GET\t/ HTTP/1.1\r\nHost: a.example\r\n\r\n", errRequestLine},
	"a control character in the target":    {"GET /\x01 HTTP/1.1\r\nHost: a.example\r\n\r\n", nil},
	"a fragment in the target":             {"GET /#x HTTP/1.1\r\nHost: a.example\r\n\r\n", errRequestLine},
	"HTTP/0.9":                             {"GET /aaaaaaaaaaaaa\r\n\r\n", errVersion},
	"HTTP/1.2":                             {"GET / HTTP/1.2\r\nHost: a.example\r\n\r\n", errVersion},
	"HTTP/2 in words":                      {"GET / HTTP/2.0\r\nHost: a.example\r\n\r\n", errVersion},
	"HTTP/2's preface without ALPN":        {preface, errVersion},
	"lower-case version":                   {"GET / http/1.1\r\nHost: a.example\r\n\r\n", errVersion},
	"two empty lines in front":             {"\r\n\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n", errRequestLine},
	"a bare line feed in front":            {"\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n", errBareLine},
}

const post = "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"

// bodyShapes are refused within the body, when the request may be on its way already.
var bodyShapes = map[string]shape{
	"a chunk's line with a bare LF":           {post + "1\nx\r\n0\r\n\r\n", errBareLine},
	"an extension that hides a line":          {post + "1;\nx\r\n0\r\n\r\n", errBareLine},
	"an extension with a CR":                  {post + "1;\rx\r\nx\r\n0\r\n\r\n", errStrayCR},
	"a chunk without its size":                {post + ";x\r\nx\r\n0\r\n\r\n", errChunk},
	"a size with a sign":                      {post + "+1\r\nx\r\n0\r\n\r\n", errChunk},
	"a size with 0x":                          {post + "0x1\r\nx\r\n0\r\n\r\n", errChunk},
	"a size with a space":                     {post + "1 \r\nx\r\n0\r\n\r\n", errChunk},
	"a size beyond 64 bits":                   {post + "10000000000000001\r\nx\r\n0\r\n\r\n", errChunk},
	"a negative size":                         {post + "ffffffffffffffff\r\nx\r\n0\r\n\r\n", errChunk},
	"a chunk longer than it says":             {post + "1\r\nxy\r\n0\r\n\r\n", errChunk},
	"a chunk ended by a bare LF":              {post + "1\r\nx\n0\r\n\r\n", errBareLine},
	"Content-Length as a trailer":             {post + "0\r\nContent-Length: 5\r\n\r\n", errTrailerField},
	"Transfer-Encoding as a trailer":          {post + "0\r\nTransfer-Encoding: chunked\r\n\r\n", errTrailerField},
	"a folded trailer":                        {post + "0\r\nX: a\r\n b\r\n\r\n", errFolded},
	"a trailer that ends with a bare LF":      {post + "0\r\nX: a\n\r\n", errBareLine},
	"a trailer section ended with a bare LF":  {post + "0\r\n\n", errBareLine},
	"a second request with both lengths":      {post + "0\r\n\r\n" + shapes["Content-Length and Transfer-Encoding"].raw, errBothLengths},
	"a second request behind a body's length": {"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\nHost: a.example\r\n\r\n", errBareLine},
}

// proper are requests that must pass.
var proper = map[string]string{
	"GET":                            "GET /a?b=c HTTP/1.1\r\nHost: a.example\r\n\r\n",
	"HTTP/1.0 without Host":          "GET / HTTP/1.0\r\n\r\n",
	"Content-Length":                 "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc",
	"Content-Length 0":               "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n",
	"Content-Length with spaces":     "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: \t 3 \r\n\r\nabc",
	"chunks":                         post + "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
	"chunks with line ends in them":  post + "4\r\n\n\r\n\r\r\n0\r\n\r\n",
	"chunks with extensions":         post + "3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n",
	"chunks and a trailer":           post + "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
	"Chunked in capitals":            "POST / HTTP/1.1\r\nHost: a.example\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n",
	"absolute with the same Host":    "GET https://A.example:443/x HTTP/1.1\r\nHost: a.example\r\n\r\n",
	"OPTIONS *":                      "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n",
	"two requests":                   "GET / HTTP/1.1\r\nHost: a.example\r\n\r\nGET / HTTP/1.1\r\nHost: b.example\r\n\r\n",
	"a request after a body":         "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: b.example\r\n\r\n",
	"an empty line after a body":     "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc\r\nGET / HTTP/1.1\r\nHost: b.example\r\n\r\n",
	"a header as long as any":        "GET / HTTP/1.1\r\nHost: a.example\r\nCookie: " + strings.Repeat("x", 60<<10) + "\r\n\r\n",
	"names of the length of framing": "GET / HTTP/1.1\r\nHost: a.example\r\nX-14-characte: 1\r\nX-17-characters-x: 2\r\nHose: b\r\n\r\n",
}

func inspectAll(raw string) error {
	var i inspector
	_, err := i.feed([]byte(raw))
	return err
}

func TestInspectorRefuses(t *testing.T) {
	for name, s := range shapes {
		t.Run(name, func(t *testing.T) {
			if err := inspectAll(s.raw); !errors.Is(err, s.want) {
				t.Fatalf("got %v, want %v", err, s.want)
			}
		})
	}
	for name, s := range bodyShapes {
		t.Run(name, func(t *testing.T) {
			if err := inspectAll(s.raw); !errors.Is(err, s.want) {
				t.Fatalf("got %v, want %v", err, s.want)
			}
		})
	}
}

func TestInspectorPasses(t *testing.T) {
	for name, raw := range proper {
		t.Run(name, func(t *testing.T) {
			var i inspector
			if n, err := i.feed([]byte(raw)); n != len(raw) || err != nil || i.phase != inStart {
				t.Fatalf("passed %d of %d bytes and ended in phase %d: %v", n, len(raw), i.phase, err)
			}
		})
	}
}

// The way bytes are cut into reads decides nothing, and what is refused never ends its line.
func TestInspectorByTheByte(t *testing.T) {
	all := maps.Clone(proper)
	for _, m := range []map[string]shape{shapes, bodyShapes} {
		for name, s := range m {
			all[name] = s.raw
		}
	}
	for name, raw := range all {
		t.Run(name, func(t *testing.T) {
			want := inspectAll(raw)
			var i inspector
			var got error
			for at := 0; at < len(raw) && got == nil; at++ {
				_, got = i.feed([]byte(raw[at : at+1]))
				if got != nil && raw[at] != '\n' {
					t.Fatalf("refused at byte %d, %q, before the line's end", at, raw[at])
				}
			}
			if !errors.Is(got, want) {
				t.Fatalf("by the byte %v, at once %v", got, want)
			}
		})
	}
}

// FuzzSplits holds that the verdict, and what is passed on before it, are the same however the
// bytes are cut into reads.
func FuzzSplits(f *testing.F) {
	for _, m := range []map[string]shape{shapes, bodyShapes} {
		for _, s := range m {
			f.Add([]byte(s.raw), []byte{1, 7, 0, 30})
		}
	}
	for _, raw := range proper {
		f.Add([]byte(raw), []byte{40, 3})
	}
	f.Fuzz(func(t *testing.T, raw, cuts []byte) {
		var whole, cut inspector
		want, wantErr := whole.feed(slices.Clone(raw))
		got, k := 0, 0
		for rest := slices.Clone(raw); len(rest) > 0; k++ {
			size := len(rest)
			if k < len(cuts) {
				size = min(size, int(cuts[k]))
			}
			n, err := cut.feed(rest[:size])
			got += n
			if err != nil {
				if !errors.Is(err, wantErr) || got != want {
					t.Fatalf("cut: %v after %d bytes; whole: %v after %d", err, got, wantErr, want)
				}
				return
			}
			if n != size {
				t.Fatalf("%d of %d bytes passed without an error", n, size)
			}
			clear(rest[:size]) // a reader's buffer is used again
			rest = rest[size:]
		}
		if wantErr != nil || got != want || cut.phase != whole.phase || cut.left != whole.left || !bytes.Equal(cut.part, whole.part) {
			t.Fatalf("cut: %d bytes and %+v; whole: %v, %d bytes and %+v", got, cut, wantErr, want, whole)
		}
	})
}

func TestInspectorAllocatesNothing(t *testing.T) {
	raw := []byte(browser + proper["chunks with extensions"] + proper["Content-Length"])
	var i inspector
	if n := testing.AllocsPerRun(100, func() {
		if _, err := i.feed(raw); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// ends gives where the inspector sees requests end in the bytes that it passes, and those bytes.
func ends(raw []byte) (passed []byte, at []int) {
	var i inspector
	before := inStart
	for k := range raw {
		if _, err := i.feed(raw[k : k+1]); err != nil {
			return raw[:k], at
		}
		if i.phase == inStart && before != inStart {
			at = append(at, k+1)
		}
		before = i.phase
	}
	return raw, at
}

// FuzzInspector holds what the inspector passes against net/http: both have to see every request
// end at the same byte, or one could be hidden in another.
func FuzzInspector(f *testing.F) {
	for _, s := range shapes {
		f.Add([]byte(s.raw))
	}
	for _, s := range bodyShapes {
		f.Add([]byte(s.raw))
	}
	for _, raw := range proper {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		passed, inspected := ends(raw)
		reader := bytes.NewReader(passed)
		b := bufio.NewReader(reader)
		for k := 0; ; k++ {
			r, err := http.ReadRequest(b)
			if err != nil {
				return // it is stricter, or there is no more
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			end := len(passed) - reader.Len() - b.Buffered()
			if k >= len(inspected) || inspected[k] != end {
				t.Fatalf("net/http sees request %d end at byte %d, the inspector sees ends at %v, of\n%q", k+1, end, inspected, passed)
			}
			for _, name := range []string{"Content-Length", "Transfer-Encoding"} {
				if len(r.Header[name]) > 1 {
					t.Fatalf("%s twice", name)
				}
			}
			if len(r.TransferEncoding) > 0 && !slices.Equal(r.TransferEncoding, []string{"chunked"}) {
				t.Fatalf("coding %q", r.TransferEncoding)
			}
		}
	})
}

const browser = "GET /wp-content/themes/twentytwentyfour/assets/css/button-outline.css?ver=1.0 HTTP/1.1\r\nHost: www.client.example\r\n" +
	"Connection: keep-alive\r\nsec-ch-ua: \"Chromium\";v=\"124\", \"Google Chrome\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36\r\n" +
	"Accept: text/css,*/*;q=0.1\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: style\r\n" +
	"Referer: https://www.client.example/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n" +
	"Cookie: wordpress_test_cookie=WP%20Cookie%20check; wp_lang=en_US\r\n\r\n"

func BenchmarkInspector(b *testing.B) {
	for name, raw := range map[string]string{
		"small":   "GET / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: wrk\r\n\r\n",
		"browser": browser,
	} {
		b.Run(name, func(b *testing.B) {
			p := []byte(raw)
			var i inspector
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := i.feed(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("upload of 32 KiB pieces", func(b *testing.B) {
		i := inspector{phase: inBody, left: 1 << 62}
		p := make([]byte, 32<<10)
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			if _, err := i.feed(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
