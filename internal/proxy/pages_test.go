package proxy

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestPages(t *testing.T) {
	for name, tc := range map[string]struct {
		p          page
		status     int
		retryAfter string
		refresh    bool
	}{
		"unknown":     {pageUnknown, 404, "", false},
		"starting":    {pageStarting, 503, "2", true},
		"busy":        {pageBusy, 503, "5", false},
		"maintenance": {pageMaintenance, 503, "300", false},
		"stopped":     {pageStopped, 503, "300", false},
		"unreachable": {pageUnreachable, 502, "5", false},
		"broken":      {pageBroken, 502, "", false},
		"slow":        {pageSlow, 504, "", false},
		"misdirected": {pageMisdirected, 421, "", false},
		"bad request": {pageBadRequest, 400, "", false},
		"no connect":  {pageNoConnect, 405, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host = `<script>alert(1)</script>`
			w := httptest.NewRecorder()
			tc.p.show(w, r)
			body := w.Body.String()
			if w.Code != tc.status || w.Header().Get("Retry-After") != tc.retryAfter {
				t.Errorf("status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
			}
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control %q", got)
			}
			if got := w.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
			if strings.Contains(body, "<script") || !strings.Contains(body, "&lt;script") {
				t.Error("the host is not escaped")
			}
			if strings.Contains(strings.ToLower(body), "lxd") {
				t.Error("a product name is shown")
			}
			if strings.Contains(body, "http-equiv") != tc.refresh {
				t.Errorf("refresh, want %v", tc.refresh)
			}
			for _, outside := range []string{"http://", "https://", "src=", "@import", "url("} {
				if strings.Contains(body, outside) {
					t.Errorf("not self-contained: %s", outside)
				}
			}
		})
	}
}

func TestPageAsJSON(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	pageStarting.show(w, r)
	var problem struct {
		Title, Detail string
		Status        int
	}
	if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
		t.Fatal(err)
	}
	if w.Code != 503 || problem.Status != 503 || problem.Title == "" || problem.Detail == "" {
		t.Errorf("status %d, %+v", w.Code, problem)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
}

func TestPageDoesNotReloadAPost(t *testing.T) {
	w := httptest.NewRecorder()
	pageStarting.show(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if strings.Contains(w.Body.String(), "http-equiv") {
		t.Error("it does")
	}
}

func TestWantsJSON(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "application/json": true, "application/problem+json": true,
		"text/html,application/xhtml+xml,application/json;q=0.9": false,
		"text/html;q=0.2, application/json;q=0.5":                true,
		"application/json, text/html":                            false,
		"application/json;q=high":                                false,
		"application/json, */*":                                  true,
		"nonsense;;;":                                            false,
	} {
		if got := wantsJSON([]string{accept}); got != want {
			t.Errorf("wantsJSON(%q) = %v", accept, got)
		}
	}
}

func TestMaintenancePage(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		m          *fleet.Maintenance
		accept     string
		retryAfter string
		want       string
		csp        bool
	}{
		"no word of it":   {nil, "", "300", pageMaintenance.Detail, true},
		"message":         {&fleet.Maintenance{Message: "Back <soon>"}, "", "300", "Back &lt;soon&gt;", true},
		"until":           {&fleet.Maintenance{Until: now.Add(90500 * time.Millisecond)}, "", "91", pageMaintenance.Detail, true},
		"until just now":  {&fleet.Maintenance{Until: now}, "", "1", pageMaintenance.Detail, true},
		"own page":        {&fleet.Maintenance{Message: "no", Page: "<p>Ours</p>"}, "", "300", "<p>Ours</p>", false},
		"own page, JSON":  {&fleet.Maintenance{Message: "Soon", Page: "<p>Ours</p>"}, "application/json", "300", `"detail":"Soon"`, false},
		"message as JSON": {&fleet.Maintenance{Message: "Soon"}, "application/json", "300", `"detail":"Soon"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept", tc.accept)
			w := httptest.NewRecorder()
			answerOf(fleet.Route{State: fleet.RouteMaintenance, Maintenance: tc.m}, 443, now).show(w, r)
			if w.Code != 503 || w.Header().Get("Retry-After") != tc.retryAfter || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("status %d, headers %v", w.Code, w.Header())
			}
			if !strings.Contains(w.Body.String(), tc.want) {
				t.Errorf("%q is not in %s", tc.want, w.Body)
			}
			if got := w.Header().Get("Content-Security-Policy") != ""; got != tc.csp {
				t.Errorf("Content-Security-Policy: %v, want %v", got, tc.csp)
			}
		})
	}
}

func TestRedirectPage(t *testing.T) {
	for name, tc := range map[string]struct {
		target string
		code   int
		port   int
		status int
		want   string
	}{
		"path and query": {"/a%20b?c=d&e=f", 308, 443, 308, "https://www.acme.example/a%20b?c=d&e=f"},
		"moved":          {"/", 301, 443, 301, "https://www.acme.example/"},
		"another port":   {"/x", 308, 8443, 308, "https://www.acme.example:8443/x"},
		"no code":        {"/x", 0, 443, 308, "https://www.acme.example/x"},
		"other host":     {"//evil.example/x", 308, 443, 308, "https://www.acme.example//evil.example/x"},
		"asterisk":       {"*", 308, 443, 308, "https://www.acme.example/"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodOptions, "/", nil)
			u, err := url.ParseRequestURI(tc.target)
			if err != nil {
				u = &url.URL{Path: tc.target}
			}
			r.URL = u
			w := httptest.NewRecorder()
			route := fleet.Route{Domain: "acme.example", State: fleet.RouteRedirect, Redirect: "www.acme.example", Code: tc.code}
			answerOf(route, tc.port, time.Now()).show(w, r)
			if w.Code != tc.status || w.Header().Get("Location") != tc.want {
				t.Errorf("status %d to %q, want %d to %q", w.Code, w.Header().Get("Location"), tc.status, tc.want)
			}
			if w.Header().Get("Retry-After") != "" || !strings.Contains(w.Body.String(), "<a href=") {
				t.Errorf("%v %s", w.Header(), w.Body)
			}
		})
	}
}

func TestRoutesTheProxyAnswersItself(t *testing.T) {
	f := startFront(t, func(c *Config) { c.PublicPort = 443 })
	c := f.client(nil)
	closed := fleet.Route{
		Domain: "acme.example", Tenant: "acme", State: fleet.RouteMaintenance, Maintenance: &fleet.Maintenance{Message: "Back at noon"},
	}
	f.publish(closed, redirecting("www.acme.example", "acme", "acme.example"))
	f.Router().Hold("acme", "move") // nobody waits for either
	if a := get(t, c, "https://acme.example/x"); a.StatusCode != 503 || !strings.Contains(a.body, "Back at noon") || a.Header.Get("Retry-After") == "" {
		t.Errorf("%s %s", a.Status, a.body)
	}
	if a := get(t, c, "https://www.acme.example/a?b=c"); a.StatusCode != 308 || a.Header.Get("Location") != "https://acme.example/a?b=c" {
		t.Errorf("%s to %q", a.Status, a.Header.Get("Location"))
	}
	f.Router().Resume("acme", "move")

	// Requests that wait when maintenance begins see its page.
	f.publish(held("acme.example", "acme"))
	waiting := make(chan answer)
	go func() { waiting <- get(t, c, "https://acme.example/") }()
	waitFor(t, func() bool {
		gates := f.Router().Gates()
		return len(gates) == 1 && gates[0].Held == 1
	})
	f.publish(closed)
	if a := <-waiting; a.StatusCode != 503 || !strings.Contains(a.body, "Back at noon") {
		t.Errorf("%s %s", a.Status, a.body)
	}
}
