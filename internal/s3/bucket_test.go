package s3_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/s3"
)

func TestOpenMistakes(t *testing.T) {
	good := s3.Config{Endpoint: "https://s3.example", Bucket: "fleet", AccessKey: "a", SecretKey: "hush"}
	for name, tc := range map[string]struct {
		change func(*s3.Config)
		field  string
	}{
		"nothing wrong": {func(*s3.Config) {}, ""},
		"no scheme":     {func(c *s3.Config) { c.Endpoint = "s3.example" }, "endpoint"},
		"a path":        {func(c *s3.Config) { c.Endpoint = "https://s3.example/fleet" }, "endpoint"},
		"no bucket":     {func(c *s3.Config) { c.Bucket = "" }, "bucket"},
		"half a key":    {func(c *s3.Config) { c.AccessKey = "" }, "access_key"},
		"no CA file":    {func(c *s3.Config) { c.CAFile = "/nothing/there.pem" }, "ca_file"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			tc.change(&cfg)
			_, err := s3.Open(cfg)
			if tc.field == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, ok := errors.AsType[*fleet.Error](err)
			if !ok || e.Code != fleet.Invalid || e.Field != tc.field || e.Hint == "" || strings.Contains(err.Error(), "hush") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestBelow(t *testing.T) {
	b, err := s3.Open(s3.Config{Endpoint: "https://s3.example", Bucket: "fleet", Prefix: "/a//b/", AccessKey: "a", SecretKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]string{"": "a/b/k", "c": "a/b/c/k", "/c/d/": "a/b/c/d/k", "../c": "a/b/c/k"} {
		if got := b.Below(folder).Key("k"); got != want {
			t.Errorf("below %q: %s", folder, got)
		}
	}
}
