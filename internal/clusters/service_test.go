package clusters

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// world is a remote LXD, a store and a service.
type world struct {
	t   *testing.T
	now time.Time

	mu       sync.Mutex
	cert     string          // of the remote
	secrets  map[string]bool // tokens that are good once
	trusted  map[string]bool // client certificates
	away     bool
	fails    map[string]error
	clusters map[fleet.Name]fleet.Cluster
	prepared int
	open     int // connections

	dir     string
	service *Service[*remote]
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), cert: "the remote's", secrets: map[string]bool{},
		trusted: map[string]bool{}, fails: map[string]error{}, clusters: map[fleet.Name]fleet.Cluster{}, dir: filepath.Join(t.TempDir(), "clusters"),
	}
	w.restart()
	return w
}

// restart makes a service as a new process would.
func (w *world) restart() {
	w.service = NewService(Deps[*remote]{
		Store: w, Dir: w.dir,
		Dial: func(_ context.Context, c fleet.Cluster, p Pair) (*remote, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.open++
			return &remote{w, c.ServerCert, p.Cert}, nil
		},
		Greet:       func(context.Context, string) (string, error) { return w.cert, w.fault("Greet") },
		Own:         func(context.Context) (string, error) { return "our own", nil },
		Fingerprint: fingerprint,
		Prepare: func(context.Context, *remote, fleet.Cluster) (string, error) {
			w.prepared++
			return "made", w.fault("Prepare")
		},
		Now: func() time.Time { return w.now },
	})
}

func fingerprint(cert string) string {
	sum := sha256.Sum256([]byte(cert))
	return hex.EncodeToString(sum[:])
}

// fault is what a call is to fail with.
func (w *world) fault(call string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away {
		return fleet.Errorf(fleet.Unavailable, "LXD does not answer")
	}
	return w.fails[call]
}

func (w *world) token() string {
	text, err := json.Marshal(map[string]any{
		"client_name": "lxdfleet", "fingerprint": fingerprint(w.cert), "addresses": []string{"10.0.0.1:8443"}, "secret": "s", "expires_at": w.now.Add(time.Hour),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	token := base64.StdEncoding.EncodeToString(text)
	w.secrets[token] = true
	return token
}

func (w *world) add(name string) View {
	w.t.Helper()
	v, err := w.service.Add(w.t.Context(), AddRequest{Name: name, Token: w.token()})
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) files() (names []string) {
	entries, err := os.ReadDir(w.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// The world is the Store.
func (w *world) Clusters(context.Context) ([]fleet.Cluster, error) {
	return slices.SortedFunc(maps.Values(w.clusters), func(a, b fleet.Cluster) int { return strings.Compare(a.Name.String(), b.Name.String()) }), nil
}

func (w *world) Cluster(_ context.Context, name fleet.Name) (fleet.Cluster, error) {
	c, ok := w.clusters[name]
	if !ok {
		return c, fleet.Errorf(fleet.NotFound, "none")
	}
	return c, nil
}

func (w *world) InsertCluster(_ context.Context, c fleet.Cluster) error {
	if err := w.fails["InsertCluster"]; err != nil {
		return err
	}
	w.clusters[c.Name] = c
	return nil
}

func (w *world) UpdateCluster(_ context.Context, c fleet.Cluster) error {
	w.clusters[c.Name] = c
	return w.fails["UpdateCluster"]
}

func (w *world) DeleteCluster(_ context.Context, name fleet.Name) error {
	delete(w.clusters, name)
	return nil
}

// remote is a connection to the other cluster, with the certificate client.
type remote struct {
	w      *world
	pinned string
	client string
}

func (r *remote) do(call string) error {
	if r.pinned != r.w.cert {
		return fleet.Errorf(fleet.Invalid, "the certificate of LXD is not trusted")
	}
	return r.w.fault(call)
}

func (r *remote) Server(context.Context) (fleet.Server, error) {
	return fleet.Server{Version: "5.21.2", Clustered: true}, r.do("Server")
}

func (r *remote) Members(context.Context) ([]fleet.Member, error) {
	return []fleet.Member{{Name: "w2"}, {Name: "w1", Online: true}}, r.do("Members")
}

func (r *remote) Trusted(context.Context) (bool, error) {
	return r.w.trusted[r.client], r.do("Trusted")
}

func (r *remote) AskTrust(_ context.Context, _, secret string) error {
	if err := r.do("AskTrust"); err != nil {
		return err
	}
	if !r.w.secrets[secret] {
		return fleet.Errorf(fleet.Forbidden, "not authorized")
	}
	delete(r.w.secrets, secret)
	r.w.trusted[r.client] = true
	return nil
}

func (r *remote) EnsureTrusted(_ context.Context, _, certificate string) error {
	if !r.w.trusted[r.client] {
		return fleet.Errorf(fleet.Forbidden, "not trusted")
	}
	r.w.trusted[certificate] = true
	return r.do("EnsureTrusted")
}

func (r *remote) EnsureDistrusted(_ context.Context, certificate string) error {
	if err := r.do("EnsureDistrusted"); err != nil {
		return err
	}
	if !r.w.trusted[r.client] {
		return fleet.Errorf(fleet.Forbidden, "not trusted")
	}
	delete(r.w.trusted, certificate)
	return nil
}

func (r *remote) Close() {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	r.w.open--
}

func TestAddShowRemove(t *testing.T) {
	w := newWorld(t)
	v := w.add("west")
	if v.Problem != "" || v.Version != "5.21.2" || len(v.Members) != 2 || v.Members[0].Name != "w1" || v.URL != "https://10.0.0.1:8443" ||
		v.Project != "lxdfleet" || v.Prepared != "made" || v.Fingerprint != fingerprint(w.cert) {
		t.Errorf("added: %+v", v)
	}
	info, err := os.Stat(filepath.Join(w.dir, "west.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
	w.restart()
	list, err := w.service.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Problem != "" {
		t.Errorf("listed: %+v, %v", list, err)
	}
	if _, err := w.service.Get(t.Context(), "east"); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("one that there is not: %v", err)
	}
	if _, err := w.service.Add(t.Context(), AddRequest{Name: "west", Token: w.token()}); fleet.CodeOf(err) != fleet.Taken {
		t.Errorf("added twice: %v", err)
	}
	if err := w.service.Remove(t.Context(), "west", false); err != nil {
		t.Fatal(err)
	}
	if len(w.trusted) != 0 || len(w.clusters) != 0 || len(w.files()) != 0 {
		t.Errorf("left: trusted %v, stored %v, files %v", w.trusted, w.clusters, w.files())
	}
}

func TestAddRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		edit  func(w *world, req *AddRequest)
		code  fleet.Code
		field string
	}{
		{"no name", func(_ *world, r *AddRequest) { r.Name = "West!" }, fleet.Invalid, "name"},
		{"no token", func(_ *world, r *AddRequest) { r.Token = "" }, fleet.Invalid, "token"},
		{"a token that is none", func(_ *world, r *AddRequest) { r.Token = "abc" }, fleet.Invalid, "token"},
		{"a token that has expired", func(w *world, _ *AddRequest) { w.now = w.now.Add(2 * time.Hour) }, fleet.Invalid, "token"},
		{"a token that was used", func(w *world, _ *AddRequest) { clear(w.secrets) }, fleet.Forbidden, "token"},
		{"a password to nobody knows whom", func(_ *world, r *AddRequest) { r.Token, r.Password, r.URL = "", "p", "https://10.0.0.1:8443" }, fleet.Invalid, "fingerprint"},
		{"no address", func(_ *world, r *AddRequest) { r.URL = "10.0.0.1" }, fleet.Invalid, "url"},
		{"another server", func(w *world, _ *AddRequest) { w.cert = "somebody else's" }, fleet.Forbidden, "url"},
		{"our own cluster", func(w *world, r *AddRequest) { w.cert = "our own"; r.Token = w.token() }, fleet.Conflict, "url"},
		{"nobody answers", func(w *world, _ *AddRequest) { w.away = true }, fleet.Unavailable, ""},
		{"it cannot be prepared", func(w *world, _ *AddRequest) { w.fails["Prepare"] = fleet.Errorf(fleet.Unsupported, "too old") }, fleet.Unsupported, ""},
		{"the store fails", func(w *world, _ *AddRequest) { w.fails["InsertCluster"] = fleet.Errorf(fleet.Unavailable, "away") }, fleet.Unavailable, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			req := AddRequest{Name: "west", Token: w.token()}
			tt.edit(w, &req)
			_, err := w.service.Add(t.Context(), req)
			e, _ := errors.AsType[*fleet.Error](err)
			if fleet.CodeOf(err) != tt.code || tt.field != "" && (e == nil || e.Field != tt.field || e.Hint == "") {
				t.Errorf("%v (code %s), want %s of %q", err, fleet.CodeOf(err), tt.code, tt.field)
			}
			if len(w.trusted) != 0 || len(w.clusters) != 0 || len(w.files()) != 0 || w.open != 0 {
				t.Errorf("left: trusted %v, stored %v, files %v, %d connections", w.trusted, w.clusters, w.files(), w.open)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	w.add("west")
	for _, tt := range []struct {
		name string
		edit func()
		says string
	}{
		{"away", func() { w.away = true }, "does not answer"},
		{"back", func() { w.away = false }, ""},
		{"it trusts us no more", func() { clear(w.trusted) }, "does not trust"},
		{"another certificate", func() { w.cert = "new" }, "not trusted"},
		{"the key is gone", func() { w.restart(); _ = os.Remove(filepath.Join(w.dir, "west.pem")) }, "missing"},
	} {
		tt.edit()
		v, err := w.service.Get(t.Context(), "west")
		if err != nil || (v.Problem == "") != (tt.says == "") || !strings.Contains(v.Problem, tt.says) {
			t.Errorf("%s: %q, %v", tt.name, v.Problem, err)
		}
	}
}

func TestRemoveOneThatIsAway(t *testing.T) {
	w := newWorld(t)
	w.add("west")
	w.away = true
	if err := w.service.Remove(t.Context(), "west", false); fleet.CodeOf(err) != fleet.Unavailable || len(w.clusters) != 1 {
		t.Errorf("%v; stored %v", err, w.clusters)
	}
	if err := w.service.Remove(t.Context(), "west", true); err != nil || len(w.clusters) != 0 || len(w.files()) != 0 {
		t.Errorf("%v; stored %v, files %v", err, w.clusters, w.files())
	}
}

func TestRemoveOneInUse(t *testing.T) {
	w := newWorld(t)
	w.add("west")
	gone := false
	w.service.InUse = func(context.Context, fleet.Name) (string, bool, error) { return "the instance acme", gone, nil }
	for _, force := range []bool{false, true} {
		err := w.service.Remove(t.Context(), "west", force)
		if fleet.CodeOf(err) != fleet.Conflict || !strings.Contains(err.Error(), "has the instance acme") || len(w.clusters) != 1 {
			t.Errorf("force %t: %v; stored %v", force, err, w.clusters)
		}
	}
	gone, w.away = true, true
	if err := w.service.Remove(t.Context(), "west", false); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("away: %v", err)
	}
	told := 0
	w.service.Changed = func(context.Context) { told++ }
	if err := w.service.Remove(t.Context(), "west", true); err != nil || len(w.clusters) != 0 || told != 1 {
		t.Errorf("lost for good: %v; stored %v, told %d times", err, w.clusters, told)
	}
}

// An exchange that is cut off at any call leaves a cluster that is reached, and the next exchange
// leaves one certificate.
func TestRotate(t *testing.T) {
	for _, cut := range []string{"", "EnsureTrusted", "UpdateCluster", "EnsureDistrusted"} {
		t.Run("cut off at "+cut, func(t *testing.T) {
			w := newWorld(t)
			w.add("west")
			first := slices.Collect(maps.Keys(w.trusted))[0]
			w.now = w.now.Add(91 * 24 * time.Hour)
			w.fails[cut] = fleet.Errorf(fleet.Unavailable, "cut off")
			w.service.rotateOld(t.Context())
			delete(w.fails, cut)
			w.restart()
			if v, err := w.service.Get(t.Context(), "west"); err != nil || v.Problem != "" {
				t.Fatalf("afterwards: %+v, %v", v, err)
			}
			if _, err := w.service.Rotate(t.Context(), "west"); err != nil {
				t.Fatal(err)
			}
			if v, err := w.service.Get(t.Context(), "west"); err != nil || v.Problem != "" || !v.KeyAt.Equal(w.now) {
				t.Errorf("exchanged: %+v, %v", v, err)
			}
			// What could not be taken back is told in the log, and is for people.
			most := 1
			if cut == "EnsureDistrusted" {
				most = 2
			}
			if len(w.trusted) > most || cut != "EnsureDistrusted" && w.trusted[first] || slices.Contains(w.files(), "west.next.pem") {
				t.Errorf("%d trusted, files %v", len(w.trusted), w.files())
			}
		})
	}
}
