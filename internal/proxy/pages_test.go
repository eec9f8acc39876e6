package proxy

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
