package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/api/apifake"
	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestFilesAreSentAsTheyAre(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "small": "<?php\n", "large": strings.Repeat("0123456789abcdef", 1<<17)} {
		t.Run(name, func(t *testing.T) {
			f := apifake.New()
			f.Snapshots.Content = content
			d, _ := daemon(t, f, f.Options(t.TempDir()))
			answer, err := d.GetSnapshotFile(t.Context(), "acme", "snap0", &client.GetSnapshotFileParams{Path: "/etc/x y"})
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			got, err := io.ReadAll(answer.Body)
			if err != nil || string(got) != content {
				t.Errorf("%d bytes came, want %d: %v", len(got), len(content), err)
			}
			if answer.StatusCode != 200 || answer.ContentLength != int64(len(content)) || answer.Header.Get("Last-Modified") != "Thu, 13 Mar 2025 09:26:53 GMT" {
				t.Errorf("%d %d %v", answer.StatusCode, answer.ContentLength, answer.Header)
			}
			if calls := f.Calls(); calls[len(calls)-1] != "ReadSnapshotFile acme snap0 /etc/x y" {
				t.Error(calls)
			}
		})
	}
}

// failing reads a little and breaks.
type failing struct {
	apifake.Snapshots
	first string
}

func (f *failing) ReadFile(context.Context, fleet.Name, string, string) (io.ReadCloser, fleet.FileInfo, error) {
	return io.NopCloser(io.MultiReader(strings.NewReader(f.first), broken{})), fleet.FileInfo{Path: "/x"}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the pool is gone") }

func TestFileThatBreaksIsNotTakenForWhole(t *testing.T) {
	for name, first := range map[string]string{"at once": "", "soon": "half", "in the middle": strings.Repeat("x", 1<<20)} {
		t.Run(name, func(t *testing.T) {
			o := apifake.New().Options(t.TempDir())
			o.Snapshots = &failing{first: first}
			s, err := api.New(o)
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(trusted(s.Handler()))
			defer server.Close()
			answer, err := http.Get(server.URL + "/v1/tenants/acme/snapshots/snap0/content?path=/x") //nolint:noctx // ends with the server
			if err != nil {
				if first == "" {
					t.Fatal(err)
				}
				return // cut off, before anything was sent
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if first == "" && (err != nil || answer.StatusCode != 500 || !bytes.Contains(body, []byte(`"code":"internal"`))) {
				t.Errorf("%d %s %v", answer.StatusCode, body, err)
			}
			if first != "" && err == nil {
				t.Errorf("%d bytes came, and no error", len(body))
			}
		})
	}
}
