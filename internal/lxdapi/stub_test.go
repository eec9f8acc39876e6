package lxdapi_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi"
)

// stub is an LXD that answers from a script: each request takes the next answer of its method
// and path, and the last answer stays.
type stub struct {
	client *lxdapi.Client

	mu       sync.Mutex
	answers  map[string][]answer
	requests []string // method, path and query without the project
	bodies   []string
}

// answer is a status code and the metadata, or the error's text from 400 on.
type answer struct {
	status   int
	metadata any
	hang     bool // never answers
}

// newStub scripts answers by "GET /1.0/instances/acme".
func newStub(t *testing.T, answers map[string][]answer) *stub {
	t.Helper()
	s := &stub{answers: answers}
	socket := filepath.Join(t.TempDir(), "unix.socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(s)
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	s.client, err = lxdapi.Connect(t.Context(), lxdapi.Options{Socket: socket, Project: "p", Lazy: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	return s
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	query := r.URL.Query()
	query.Del("project")
	key := r.Method + " " + r.URL.Path
	s.mu.Lock()
	s.requests = append(s.requests, strings.TrimSuffix(key+"?"+query.Encode(), "?"))
	s.bodies = append(s.bodies, string(body))
	a := answer{status: 404, metadata: "nothing is scripted for " + key}
	if queue := s.answers[key]; len(queue) > 0 {
		a = queue[0]
		if len(queue) > 1 {
			s.answers[key] = queue[1:]
		}
	}
	s.mu.Unlock()
	if a.hang {
		<-r.Context().Done()
		return
	}
	reply := map[string]any{"type": "sync", "metadata": a.metadata}
	if a.status >= 400 {
		reply = map[string]any{"type": "error", "error": a.metadata, "error_code": a.status}
	}
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(reply)
}

// want fails the test unless these were the requests, in this order.
func (s *stub) want(t *testing.T, requests ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.requests, requests) {
		t.Errorf("requests are\n  %s\nwant\n  %s", strings.Join(s.requests, "\n  "), strings.Join(requests, "\n  "))
	}
}

func good(metadata any) answer { return answer{status: 200, metadata: metadata} }

func bad(status int, text string) answer { return answer{status: status, metadata: text} }

func running(id string) answer {
	return answer{status: 202, metadata: map[string]any{"id": id, "class": "task", "status_code": 103, "may_cancel": true}}
}

func succeeded(id string) answer {
	return good(map[string]any{"id": id, "class": "task", "status_code": 200})
}

func failed(id, text string) answer {
	return good(map[string]any{"id": id, "class": "task", "status_code": 400, "err": text})
}

func instance(name, status string, code int, config map[string]string) answer {
	return good(map[string]any{"name": name, "status": status, "status_code": code, "location": "n1", "config": config})
}

const (
	postInstances = "POST /1.0/instances"
	getAcme       = "GET /1.0/instances/acme"
	deleteAcme    = "DELETE /1.0/instances/acme"
	putState      = "PUT /1.0/instances/acme/state"
	patchAcme     = "PATCH /1.0/instances/acme"
	getOperations = "GET /1.0/operations"
	waitA         = "GET /1.0/operations/a/wait"
	waitB         = "GET /1.0/operations/b/wait"
)

var noOperations = good(map[string]any{})

func job(id string, more ...string) map[string]string {
	config := map[string]string{fleet.KeyJob: id}
	for i := 0; i+1 < len(more); i += 2 {
		config[more[i]] = more[i+1]
	}
	return config
}

func clone(ctx context.Context, s *stub, member string) error {
	return s.client.EnsureClone(ctx, fleet.CloneSpec{
		Name: "acme", Fingerprint: "f", Member: member, Profiles: []string{"default"}, Config: job("j1"),
	}, nil)
}
