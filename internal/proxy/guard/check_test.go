package guard

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// request is what a server might hand on.
func request(change func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://a.example/x", nil)
	r.RequestURI, r.Proto, r.ProtoMajor, r.ProtoMinor = "/x", "HTTP/2.0", 2, 0
	if change != nil {
		change(r)
	}
	return r
}

func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*http.Request)
		ok     bool
	}{
		"proper":               {nil, true},
		"proper over HTTP/1":   {func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 1, 1 }, true},
		"absolute over HTTP/1": {func(r *http.Request) { r.ProtoMajor = 1; r.RequestURI = "https://a.example/x" }, true},
		"absolute":             {func(r *http.Request) { r.RequestURI = "https://a.example/x" }, false},
		"the same Host":        {func(r *http.Request) { r.Header.Set("Host", "A.example:443") }, true},
		"another Host":         {func(r *http.Request) { r.Header.Set("Host", "b.example") }, false},
		"two Hosts":            {func(r *http.Request) { r.Header["Host"] = []string{"a.example", "a.example"} }, false},
		"a Host with a path":   {func(r *http.Request) { r.Host = "a.example/b" }, false},
		"a Host with a blank":  {func(r *http.Request) { r.Host = "a.example b" }, false},
		"a Host with a user":   {func(r *http.Request) { r.Host = "b@a.example" }, false},
		"an IPv6 Host":         {func(r *http.Request) { r.Host = "[2001:db8::1]:443" }, true},
		"a blank in the path":  {func(r *http.Request) { r.RequestURI = "/x y" }, false},
		"a line in the path":   {func(r *http.Request) { r.RequestURI = "/x\r\nHost: b.example" }, false},
		"a fragment":           {func(r *http.Request) { r.RequestURI = "/x#y" }, false},
		"no slash":             {func(r *http.Request) { r.RequestURI = "x" }, false},
		"a star":               {func(r *http.Request) { r.RequestURI = "*" }, false},
		"OPTIONS and a star":   {func(r *http.Request) { r.Method, r.RequestURI = http.MethodOptions, "*" }, true},
		"a tunnel":             {func(r *http.Request) { r.Method, r.RequestURI = http.MethodConnect, "" }, true},
		"a method of two":      {func(r *http.Request) { r.Method = "GET /" }, false},
		"no method":            {func(r *http.Request) { r.Method = "" }, false},
		"Transfer-Encoding":    {func(r *http.Request) { r.Header.Set("Transfer-Encoding", "chunked") }, false},
		"Connection":           {func(r *http.Request) { r.Header.Set("Connection", "close") }, false},
		"a length":             {func(r *http.Request) { r.Header.Set("Content-Length", "5"); r.ContentLength = 5 }, true},
		"two lengths":          {func(r *http.Request) { r.Header["Content-Length"] = []string{"5", "5"}; r.ContentLength = 5 }, false},
		"a length of no body":  {func(r *http.Request) { r.Header.Set("Content-Length", "5") }, false},
		"a signed length":      {func(r *http.Request) { r.Header.Set("Content-Length", "+5"); r.ContentLength = 5 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			if refused := Check(request(tc.change)); (refused == nil) != tc.ok || refused != nil && refused.Status != http.StatusBadRequest {
				t.Errorf("%+v", refused)
			}
		})
	}
	r := request(nil)
	if n := testing.AllocsPerRun(100, func() { Check(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What HTTP/2 can say and HTTP/1.1 cannot is answered with 400 or ends the stream; the handler
// behind Check never sees it.
func TestHTTP2Tricks(t *testing.T) {
	reached := make(chan string, 100)
	s := serve(t, ListenerConfig{TLS: certificate(t)}, func(w http.ResponseWriter, r *http.Request) {
		if refused := Check(r); refused != nil {
			w.WriteHeader(refused.Status)
			return
		}
		reached <- r.RequestURI
	}, nil)
	type fields [][2]string
	proper := fields{{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/"}}
	with := func(name, value string) fields {
		var all fields
		for _, f := range proper {
			if f[0] != name {
				all = append(all, f)
			}
		}
		if strings.HasPrefix(name, ":") {
			return append(fields{{name, value}}, all...)
		}
		return append(all, [2]string{name, value})
	}
	for name, tc := range map[string]struct {
		fields fields
		ok     bool
	}{
		"proper":                     {proper, true},
		"a line end in :path":        {with(":path", "/ HTTP/1.1\r\nHost: b.example\r\n\r\nGET /"), false},
		"a blank in :path":           {with(":path", "/ x"), false},
		"no slash in :path":          {with(":path", "x"), false},
		"absolute :path":             {with(":path", "https://b.example/"), false},
		"a blank in :method":         {with(":method", "GET / HTTP/1.1"), false},
		"a path in :authority":       {with(":authority", "a.example/b"), false},
		"a user in :authority":       {with(":authority", "b@a.example"), false},
		"another Host":               {with("host", "b.example"), false},
		"Transfer-Encoding":          {with("transfer-encoding", "chunked"), false},
		"Connection":                 {with("connection", "transfer-encoding"), false},
		"a line end in a value":      {with("x", "a\r\ntransfer-encoding: chunked"), false},
		"a colon in a name":          {with("x: y", "a"), false},
		"an upper-case name":         {with("X-A", "a"), false},
		"a length that is not there": {with("content-length", "5"), false},
		"two pseudo-headers":         {append(with(":path", "/a"), [2]string{":path", "/b"}), false},
		"an unknown pseudo-header":   {with(":other", "x"), false},
		"a pseudo-header behind":     {append(fields{{"x", "y"}}, proper...), false},
		"no :path":                   {proper[:3], false},
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dial("h2")
			say(t, conn, preface, 0)
			f := http2.NewFramer(conn, conn)
			if err := f.WriteSettings(); err != nil {
				t.Fatal(err)
			}
			var block bytes.Buffer
			enc := hpack.NewEncoder(&block)
			for _, field := range tc.fields {
				if err := enc.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}); err != nil {
				t.Fatal(err)
			}
			if got := outcome(f); (got == "200") != tc.ok {
				t.Errorf("%s", got)
			}
		})
	}
	close(reached)
	for target := range reached {
		if target != "/" {
			t.Errorf("the handler was reached for %q", target)
		}
	}
	if len(proper) != 4 {
		t.Error("a case changed another")
	}
}

// outcome is the status of stream 1, or how it ended otherwise.
func outcome(f *http2.Framer) string {
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		frame, err := f.ReadFrame()
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			return frame.PseudoValue("status")
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return "reset"
		}
		if err != nil {
			return "closed"
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	r := &http.Request{Method: "GET", Host: "www.client.example", RequestURI: "/wp-content/style.css?ver=1", ProtoMajor: 2, URL: &url.URL{Path: "/"}, Header: http.Header{"User-Agent": {"x"}, "Accept": {"x"}}}
	b.ReportAllocs()
	for b.Loop() {
		if Check(r) != nil {
			b.Fatal()
		}
	}
}
