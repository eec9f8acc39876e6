//go:build integration && zfs

package integration

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/rows"
	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// zfsRows: a MariaDB that is written to all the time is snapshotted, held still by lxdfleet itself,
// and brought back to the older snapshot and to the newer one, which LXD alone would have deleted;
// each row is looked at.
func (w *world) zfsRows() {
	w.must("image", "import", os.Getenv("LXDFLEET_ROWS_IMAGE"), "rows/1")
	w.must("tenant", "create", "books", "--image", "rows", "--domain", "books.localhost", "--member", "n2")
	w.must("tenant", "set", "books", "quiesce=mysql", "quiesce.limit=30s")
	load := rows.Start(rows.Options{Site: "https://books.localhost", Client: w.visitor(w.t), Writers: 2, Pause: 20 * time.Millisecond})
	w.t.Cleanup(load.Stop)
	goOn := func() {
		w.t.Helper()
		if err := load.Await(w.t.Context(), 20); err != nil {
			w.t.Fatalf("%v; failures: %v", err, load.Failures())
		}
	}
	goOn()
	cuts := map[string]rows.Cut{}
	for _, name := range []string{"older", "newer"} {
		cut := rows.Cut{Before: load.Now()}
		w.must("snapshot", "create", "books", name)
		cut.After = load.Now()
		cuts[name] = cut
		var shown client.Snapshot
		w.call(http.MethodGet, "/v1/tenants/books/snapshots/"+name, nil, &shown)
		if shown.Consistency != client.ConsistencyApplication {
			w.t.Errorf("snapshot %s: %+v", name, shown)
		}
		w.t.Logf("snapshot %s, held for %s", name, shown.Held)
		goOn()
	}
	for _, name := range []string{"older", "newer"} {
		cut := cuts[name]
		cut.Left = load.Now()
		start := time.Now()
		w.must("snapshot", "restore", "books", name)
		cut.Back = load.Now()
		w.t.Logf("back to %s after %s", name, time.Since(start).Round(time.Millisecond))
		goOn()
		w.wantDump("books", load, cut)
	}
	load.Stop()
	wantNoneFailed(w.t, load)
	w.must("tenant", "delete", "books", "--now")
}

// wantDump checks the rows of a tenant of the rows' image.
func (w *world) wantDump(tenant string, load *rows.Load, cut rows.Cut) {
	w.t.Helper()
	cut.Looked = load.Now()
	resp, err := w.visitor(w.t).Get(fmt.Sprintf("https://%s.localhost/dump", tenant))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	state, err := rows.Read(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := rows.Check(state, load.Commits(), cut); err != nil {
		w.t.Errorf("rows of %s, of %d commits, cut %+v:\n%v", tenant, len(load.Commits()), cut, err)
	}
	if len(state.Rows) < 60 {
		w.t.Errorf("only %d rows in %s", len(state.Rows), tenant)
	}
}
