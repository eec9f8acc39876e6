//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/rows"
)

// wordpress is a world whose golden image is the real one. Building it takes two minutes, so
// all tests on it are parts of one; LXDFLEET_WORDPRESS_IMAGE may name a file with it, from
// lxc image export, to try one of them again.
func wordpress(t *testing.T, settings map[string]string) *world {
	t.Helper()
	w := newWorld(t)
	for section, lines := range settings {
		w.settings[section] += lines
	}
	w.writeConfig()
	w.must("init")
	w.start()
	if file := os.Getenv("LXDFLEET_WORDPRESS_IMAGE"); file != "" {
		w.must("image", "import", file, "wordpress/exported")
	} else {
		w.must("image", "build", "wordpress")
	}
	return w
}

// blog makes a WordPress tenant with the tables and the page of a load.
func (w *world) blog(t *testing.T, name string) {
	t.Helper()
	w.must("tenant", "create", name, "--image", "wordpress", "--domain", name+".localhost", "--plan", "medium")
	w.inside(t, name, string(rows.Page), "sh", "-c", "cat >"+rows.PagePath+" && chmod 644 "+rows.PagePath)
	w.inside(t, name, rows.Schema, "mariadb", "wordpress")
}

// load begins a load on a tenant, which ends with the test, and waits for its first commits.
func (w *world) load(t *testing.T, name string) *rows.Load {
	t.Helper()
	l := rows.Start(rows.Options{
		Site: "https://" + name + ".localhost", Client: w.visitor(t),
		Writers: 3, Readers: 1, Pause: 20 * time.Millisecond,
	})
	t.Cleanup(l.Stop)
	w.goesOn(t, l)
	return l
}

// visitor is a client whose every name leads to the proxy, and who waits for a held answer.
func (w *world) visitor(t *testing.T) *http.Client {
	t.Helper()
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer("tcp", fmt.Sprintf("127.0.0.1:%d", w.https)), TLSClientConfig: w.trust(t), MaxIdleConnsPerHost: 16,
		},
		Timeout: 2 * time.Minute,
	}
}

// goesOn waits for more commits.
func (w *world) goesOn(t *testing.T, l *rows.Load) {
	t.Helper()
	if err := l.Await(t.Context(), 60); err != nil {
		t.Fatal(err)
	}
}

// inside runs a command in an instance, with LXD's own tool, and gives what it printed.
func (w *world) inside(t *testing.T, instance, input string, command ...string) string {
	t.Helper()
	out, err := w.try(instance, input, command...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) try(instance, input string, command ...string) (string, error) {
	return lxcWith(input, append([]string{"--project", w.project, "exec", instance, "--"}, command...)...)
}

// wantRows checks what a tenant's database holds of a load.
func (w *world) wantRows(t *testing.T, name string, l *rows.Load, cut rows.Cut) {
	t.Helper()
	cut.Looked = l.Now()
	state, err := rows.Read(strings.NewReader(w.inside(t, name, rows.Dump, "mariadb", "--skip-column-names", "wordpress")))
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Check(state, l.Commits(), cut); err != nil {
		t.Errorf("rows of %s, of %d commits, cut %+v:\n%v", name, len(l.Commits()), cut, err)
	}
	if len(state.Rows) < 100 {
		t.Errorf("only %d rows in %s", len(state.Rows), name)
	}
}

// wantNoneFailed fails the test where a request has had no good answer.
func wantNoneFailed(t *testing.T, l *rows.Load) {
	t.Helper()
	if failed := l.Failures(); len(failed) > 0 {
		t.Errorf("%d requests failed, such as %q", len(failed), failed[0])
	}
}
