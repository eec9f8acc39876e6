package proxy

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestBrand(t *testing.T) {
	for name, tc := range map[string]struct {
		brand  Brand
		accept string
		want   []string
		not    []string
	}{
		"nobody":          {Brand{}, "", []string{"is starting"}, []string{"·  ", "<small></small>"}},
		"name":            {Brand{Name: "Hooli <Web>"}, "", []string{"<small>Hooli &lt;Web&gt;</small>"}, nil},
		"contact":         {Brand{Contact: "+1 555 0100"}, "", []string{"<small>&#43;1 555 0100</small>"}, nil},
		"both":            {Brand{"Hooli", "help@hooli.example"}, "", []string{"<small>Hooli · help@hooli.example</small>"}, nil},
		"both, JSON":      {Brand{"Hooli", "help@hooli.example"}, "application/json", []string{`"from":"Hooli"`, `"contact":"help@hooli.example"`}, nil},
		"nobody, in JSON": {Brand{}, "application/json", []string{`"title"`}, []string{"from", "contact"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept", tc.accept)
			w := httptest.NewRecorder()
			pageStarting.show(&recorder{ResponseWriter: w, brand: &tc.brand}, r)
			body := w.Body.String()
			for _, want := range tc.want {
				if !strings.Contains(body, want) {
					t.Errorf("%q is not in %s", want, body)
				}
			}
			for _, not := range tc.not {
				if strings.Contains(body, not) {
					t.Errorf("%q is in %s", not, body)
				}
			}
			if len(body) > 4<<10 {
				t.Errorf("the page has %d bytes", len(body))
			}
		})
	}
}

func TestBrandIsOnEveryPageOfTheServer(t *testing.T) {
	f := startFront(t, func(c *Config) { c.Brand.Name = "Hooli" })
	f.publish(stopped("off.example", "off"))
	for _, url := range []string{"https://off.example/", "http://nobody.example/"} {
		if a := get(t, f.client(nil), url); !strings.Contains(a.body, "Hooli") {
			t.Errorf("%s: %s", url, a.body)
		}
	}
}
