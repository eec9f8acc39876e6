package upstream

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
)

// answer passes the answer whose header was read. Errors are only from before its header was
// written.
func (x *exchange) answer() error {
	cn := x.cn
	h := &cn.head
	if h.status == http.StatusSwitchingProtocols {
		return x.tunnel()
	}
	if x.key != "" && h.status < 300 {
		// To a client that sent CONNECT this would mean that there is a tunnel.
		return malformed("status %d to a WebSocket", h.status)
	}
	if x.up != nil {
		if err := x.early(); err != nil {
			return err
		}
	}
	x.writeHead(h)
	err := x.copyBody(h)
	if err == nil {
		x.finish(h)
		return nil
	}
	x.client.cfg.Log.Debug("an answer broke off", "backend", cn.backend, "error", err)
	_ = x.flush() // a client that saw nothing at all might send its request again
	x.drop()
	panic(http.ErrAbortHandler)
}

// finish ends an exchange whose answer was passed whole.
func (x *exchange) finish(h *head) {
	whole := x.up == nil
	if x.up != nil {
		_ = x.stopUpload() // the answer is what counts
		whole = x.up.whole
	}
	if whole && !x.asked && h.reusable(x.r.Method) && x.cn.r == x.cn.w && x.cn.noUploadDeadline(x.up) == nil {
		x.release()
	}
}

// noUploadDeadline takes away the deadlines that an upload set.
func (cn *conn) noUploadDeadline(u *upload) error {
	if u == nil {
		return nil
	}
	return cn.noDeadline()
}

// writeHead writes the answer's header.
func (x *exchange) writeHead(h *head) {
	header := x.w.Header()
	setFields(header, h.fields)
	if h.status == http.StatusNoContent || h.status == http.StatusNotModified {
		delete(header, "Content-Length") // says nothing that clients need, and confuses some on HTTP/2
	}
	if _, ok := header["Content-Type"]; !ok {
		header["Content-Type"] = nil // or net/http would guess one
	}
	if h.chunked && !h.bodiless(x.r.Method) {
		for _, name := range h.trailer {
			header.Add("Trailer", name)
		}
	}
	x.w.WriteHeader(h.status)
}

// setFields adds fields to header.
func setFields(header http.Header, fields []field) {
	values := make([]string, len(fields)) // one piece of memory for all
	for i, f := range fields {
		values[i] = f.value
		if before, ok := header[f.name]; ok {
			header[f.name] = append(before, f.value)
		} else {
			header[f.name] = values[i : i+1 : i+1]
		}
	}
}

// inform passes an informational answer on.
func (x *exchange) inform() {
	if !x.r.ProtoAtLeast(1, 1) {
		return // HTTP/1.0 has none
	}
	header := x.w.Header()
	before := maps.Clone(header)
	setFields(header, x.cn.head.fields)
	x.w.WriteHeader(x.cn.head.status)
	clear(header)
	maps.Copy(header, before)
}

func (x *exchange) flush() error {
	err := http.NewResponseController(x.w).Flush()
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// frame takes a body out of what was read.
type frame struct {
	left   int64 // -1: not known
	chunks *chunks
}

// next gives the data in what was read, and whether the body ends there.
func (f *frame) next(cn *conn) (data []byte, end bool, err error) {
	have := cn.in[cn.r:cn.w]
	switch {
	case f.chunks != nil:
		var n int
		data, n, err = f.chunks.decode(have)
		cn.r += n
		return data, f.chunks.done(), err
	case f.left >= 0:
		data = have[:min(int64(len(have)), f.left)]
		f.left -= int64(len(data))
		cn.r += len(data)
		return data, f.left == 0, nil
	}
	cn.r = cn.w
	return have, false, nil
}

// copyBody passes the answer's body. What has come is written before more is waited for; only
// then is it flushed, so that an answer that is there as a whole is one write.
func (x *exchange) copyBody(h *head) error {
	if h.bodiless(x.r.Method) {
		return nil
	}
	cn := x.cn
	f := frame{left: h.length}
	if h.chunked {
		f.chunks = &chunks{max: x.client.cfg.MaxHeader}
	}
	cn.full = h.length-int64(cn.w-cn.r) > smallBuffer // then it is worth a large buffer at once
	unsent := true                                    // the header is
	for {
		data, end, err := f.next(cn)
		if len(data) > 0 {
			if _, err := x.w.Write(data); err != nil {
				return err
			}
			unsent = true
		}
		if err != nil {
			return err
		}
		if end {
			return x.trail(h, f.chunks)
		}
		if err := x.more(&unsent); err != nil {
			if errors.Is(err, io.EOF) {
				if f.left < 0 && f.chunks == nil {
					return nil
				}
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
}

// more reads on. Before it waits it flushes what was written.
func (x *exchange) more(unsent *bool) error {
	cn := x.cn
	if x.up == nil {
		if err := cn.noDeadline(); err != nil {
			return err
		}
	}
	if err := cn.fillNow(); !errors.Is(err, errNothingYet) {
		return err
	}
	if *unsent {
		if err := x.flush(); err != nil {
			return err
		}
		*unsent = false
	}
	return cn.fill()
}

// trail passes the trailer of a body in chunks.
func (x *exchange) trail(h *head, c *chunks) error {
	if c == nil {
		return nil
	}
	fields, err := c.fields()
	if err != nil {
		return err
	}
	header := x.w.Header()
	seen := make(map[string]bool)
	for _, f := range fields {
		if framing(f.name) || f.name == "Connection" {
			continue
		}
		name := f.name
		if !slices.Contains(h.trailer, name) {
			name = http.TrailerPrefix + name
		}
		if !seen[name] {
			header.Del(name)
		}
		seen[name] = true
		header[name] = append(header[name], f.value)
	}
	return nil
}
