package web

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// Base is the address that the dashboard lives under.
const Base = "/ui/"

// nonceMark stands in the built page where the nonce of one answer goes.
const nonceMark = "__CSP_NONCE__"

// unbuilt is the page of a binary that was built without the dashboard.
const unbuilt = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>lxdfleet</title></head>
<body><h1>lxdfleet</h1>
<p>This binary was built without its dashboard. To have it, run <code>make web build</code> in
lxdfleet's sources (it needs Node.js and npm) and restart the daemon with the new binary.</p>
<p>The API answers under <code>/v1</code>, and <code>lxdfleet --help</code> lists the commands.</p>
</body></html>
`

// Handler serves the dashboard of files: its page at every address under Base, since the page
// finds its way by itself, and what the page loads. All other addresses are sent there. Every
// answer forbids what the page does not need: foreign code, styles, frames and connections.
func Handler(files fs.FS) http.Handler {
	site := &site{page: []byte(unbuilt), assets: map[string]asset{}}
	if page, err := fs.ReadFile(files, "index.html"); err == nil {
		site.page = page
	}
	_ = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == "index.html" || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err == nil {
			site.assets[name] = newAsset(name, content)
		}
		return err
	})
	return site
}

type site struct {
	page   []byte
	assets map[string]asset // by path
}

// asset is a file that a page loads.
type asset struct {
	kind    string // media type
	plain   []byte
	packed  []byte // gzip; nil where that is no shorter
	forever bool   // its name changes with its content
}

func newAsset(name string, content []byte) asset {
	a := asset{kind: mime.TypeByExtension(path.Ext(name)), plain: content, forever: strings.HasPrefix(name, "assets/")}
	if strings.HasSuffix(name, ".woff2") {
		a.kind = "font/woff2" // not every machine's table has it
	}
	if packed := pack(content); len(packed) < len(content) {
		a.packed = packed
	}
	return a
}

func pack(content []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is a valid one
	_, _ = z.Write(content)                               // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the dashboard is only read", http.StatusMethodNotAllowed)
		return
	}
	name, under := strings.CutPrefix(r.URL.Path, Base)
	if !under {
		http.Redirect(w, r, moved(r.URL.Path), http.StatusFound)
		return
	}
	protect(w.Header())
	if a, there := s.assets[name]; there {
		a.serve(w, r)
		return
	}
	if strings.HasPrefix(name, "assets/") {
		http.Error(w, "there is no such file; load the page anew", http.StatusNotFound)
		return
	}
	s.servePage(w, r)
}

// moved gives the address under Base that an address elsewhere means. It is never one of another
// host, as //host/ would be.
func moved(address string) string {
	cleaned := path.Clean("/" + address)
	if cleaned == "/" || cleaned == strings.TrimSuffix(Base, "/") {
		return Base
	}
	return Base + strings.TrimPrefix(cleaned, "/")
}

func (s *site) servePage(w http.ResponseWriter, r *http.Request) {
	nonce := newNonce()
	page := bytes.ReplaceAll(s.page, []byte(nonceMark), []byte(nonce))
	packed := []byte(nil)
	if len(page) > 1400 { // one packet either way
		packed = pack(page)
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy(nonce))
	h.Set("Cache-Control", "no-store")
	write(w, r, "text/html; charset=utf-8", page, packed)
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	keep := "no-cache"
	if a.forever {
		keep = "public, max-age=31536000, immutable"
	}
	w.Header().Set("Cache-Control", keep)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	write(w, r, a.kind, a.plain, a.packed)
}

func write(w http.ResponseWriter, r *http.Request, kind string, plain, packed []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Vary", "Accept-Encoding")
	body := plain
	if packed != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = packed
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(body) // the client may have left
}

// policy allows the page its own files and connections. The terminal makes style elements,
// which carry the nonce, and colours letters by style attributes; neither can run code.
func policy(nonce string) string {
	return strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "connect-src 'self'", "img-src 'self' data:", "font-src 'self'",
		"style-src 'self' 'nonce-" + nonce + "'", "style-src-attr 'unsafe-inline'",
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "object-src 'none'",
		"require-trusted-types-for 'script'", "trusted-types 'none'",
	}, "; ")
}

func protect(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
}

func newNonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}
