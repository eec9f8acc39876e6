package proxy

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/guard"
)

// page is an answer the proxy gives by itself.
type page struct {
	Status  int
	Title   string
	Detail  string
	Retry   int // seconds for Retry-After; 0: none
	Refresh int // seconds until the page loads again by itself; 0: never
	Host    string
	// To is where a redirect leads, without a path; Location has the request's.
	To, Location string
	Brand        Brand
	// Own is HTML to show instead of the page; it says nothing of the above.
	Own string
}

var (
	pageUnknown = page{
		Status: http.StatusNotFound, Title: "There is no site here",
		Detail: "No site is set up under this address. Please check that it is spelled right.",
	}
	pageStarting = page{
		Status: http.StatusServiceUnavailable, Title: "This site is starting",
		Detail: "It will be here in a moment. This page loads again by itself.", Retry: 2, Refresh: 2,
	}
	pageBusy = page{
		Status: http.StatusServiceUnavailable, Title: "This site is very busy",
		Detail: "Too many visitors are waiting for it right now. Please try again in a moment.", Retry: 5,
	}
	pageStopped = page{
		Status: http.StatusServiceUnavailable, Title: "This site is switched off",
		Detail: "Its owner has stopped it for now. Please come back later.", Retry: 300,
	}
	pageMaintenance = page{
		Status: http.StatusServiceUnavailable, Title: "This site is being worked on",
		Detail: "It will be back soon. Please try again in a while.", Retry: 300,
	}
	pageMoved = page{
		Status: http.StatusPermanentRedirect, Title: "This page has another address",
		Detail: "It is at",
	}
	pageUnreachable = page{
		Status: http.StatusBadGateway, Title: "This site does not answer",
		Detail: "It is set up, but cannot be reached right now. Please try again in a moment.", Retry: 5,
	}
	pageBroken = page{
		Status: http.StatusBadGateway, Title: "This site gave no proper answer",
		Detail: "It may or may not have done what was asked of it. Please look before you send anything a second time.",
	}
	pageSlow = page{
		Status: http.StatusGatewayTimeout, Title: "This site took too long to answer",
		Detail: "It may still be working on what was asked of it. Please look before you send anything a second time.",
	}
	pageMisdirected = page{
		Status: http.StatusMisdirectedRequest, Title: "This connection is for another site",
		Detail: "The request names another site than its connection was made for. Please load the page again.",
	}
	pageBadRequest = page{
		Status: http.StatusBadRequest, Title: "The request broke off",
		Detail: "What was sent did not arrive whole. Please try again.",
	}
	pageRefused = page{
		Status: http.StatusBadRequest, Title: "The request is not well formed",
		Detail: "It could be understood in more than one way. A browser does not send such requests.",
	}
	pageForbidden = page{
		Status: http.StatusForbidden, Title: "This site is not open to you",
		Detail: "Its owner lets only some networks in, and yours is not among them.",
	}
	pageTooMany = page{
		Status: http.StatusTooManyRequests, Title: "Too many requests",
		Detail: "More was asked of this site in a short time than it takes. Please try again in a moment.", Retry: 1,
	}
	pageTooLarge = page{
		Status: http.StatusRequestEntityTooLarge, Title: "This is too large",
		Detail: "What was sent is larger than this site takes.",
	}
	pageTooSlow = page{
		Status: http.StatusRequestTimeout, Title: "The request took too long",
		Detail: "What was sent came too slowly. Please try again.",
	}
	pageNoConnect = page{
		Status: http.StatusMethodNotAllowed, Title: "This method is not allowed",
		Detail: "Connections to other places are not made from here.",
	}
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// answerOf gives the page for a route that the proxy answers by itself; nil for the others.
func answerOf(route fleet.Route, publicPort int, now time.Time) *page {
	switch route.State {
	case fleet.RouteStopped:
		return &pageStopped
	case fleet.RouteRedirect:
		p := pageMoved
		p.To = route.Redirect.URL(publicPort)
		if route.Code == http.StatusMovedPermanently {
			p.Status = route.Code
		}
		return &p
	case fleet.RouteMaintenance:
		p := pageMaintenance
		if m := route.Maintenance; m != nil {
			p.Own = m.Page
			if m.Message != "" {
				p.Detail = m.Message
			}
			if !m.Until.IsZero() {
				p.Retry = max(1, int(math.Ceil(m.Until.Sub(now).Seconds())))
			}
		}
		return &p
	}
	return nil
}

// show answers with p, as HTML or, where the client would rather have it, as problem+json
// (RFC 9457). host is shown as the request gave it, escaped.
func (p page) show(w http.ResponseWriter, r *http.Request) {
	p.Host = r.Host
	if rec, ok := w.(*recorder); ok {
		p.Brand = *rec.brand
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		p.Refresh = 0 // loading again would ask for something else
	}
	guard.Abandon(w, r)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if p.To != "" {
		p.Location = p.To + pathOf(r)
		h.Set("Location", p.Location)
		h.Set("Cache-Control", "max-age=3600") // not for ever: the operator may think again
	}
	h.Set("Vary", "Accept")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.Retry > 0 {
		h.Set("Retry-After", strconv.Itoa(p.Retry))
	}
	body, kind := p.html, "text/html; charset=utf-8"
	if wantsJSON(r.Header.Values("Accept")) {
		body, kind = p.json, "application/problem+json"
	} else if p.Own == "" {
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	}
	data, err := body()
	if err != nil { // neither form can fail on its fields; plain text all the same
		data, kind = []byte(p.Title+"\n"), "text/plain; charset=utf-8"
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(data) // an error here is a client that has left
}

// pathOf is the path and query of the request, in a form that cannot lead to another host.
func pathOf(r *http.Request) string {
	path := r.URL.RequestURI()
	if !strings.HasPrefix(path, "/") { // OPTIONS *
		return "/"
	}
	return path
}

func (p page) html() ([]byte, error) {
	if p.Own != "" {
		return []byte(p.Own), nil
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, p)
	return b.Bytes(), err
}

func (p page) json() ([]byte, error) {
	return json.Marshal(struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		From   string `json:"from,omitempty"`
		Ask    string `json:"contact,omitempty"`
	}{p.Title, p.Status, p.Detail, p.Brand.Name, p.Brand.Contact})
}

// wantsJSON reports whether JSON is wanted rather than HTML: the better quality wins, and HTML
// where they are equal or neither is named.
func wantsJSON(accept []string) bool {
	var html, jsonQ float64
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if s, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(s, 64); err != nil {
				continue
			}
		}
		switch {
		case kind == "text/html" || kind == "application/xhtml+xml":
			html = max(html, q)
		case kind == "application/json" || strings.HasSuffix(kind, "+json"):
			jsonQ = max(jsonQ, q)
		}
	}
	return jsonQ > html
}
