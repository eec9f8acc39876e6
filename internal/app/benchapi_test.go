//go:build benchapi

package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/mariadb"
)

// What scripts/bench-api asks for; docs/performance.md has what came out.
const (
	listTarget   = 50 * time.Millisecond  // p99 of a page
	detailTarget = 20 * time.Millisecond  // p99 of one tenant
	eventTarget  = 100 * time.Millisecond // until the last of all streams has an event
	streamMemory = 150.0                  // MB more for all streams
	daemonMemory = 300.0                  // MB, with the streams

	perSecond  = 50
	listFor    = 20 * time.Second
	detailFor  = 10 * time.Second
	streams    = 1000
	eventTries = 30
)

// report is the table that is printed.
type report struct {
	*testing.T
	rows [][]string
}

func (r *report) row(store, what, found, target string, met bool) {
	word := "met"
	if !met {
		word = "missed"
		r.Errorf("%s: %s: %s, target %s", store, what, found, target)
	}
	r.rows = append(r.rows, []string{store, what, found, target, word})
}

func (r *report) times(store, what string, all []time.Duration, at float64, target time.Duration) {
	slices.Sort(all)
	found := all[min(len(all)-1, int(at*float64(len(all))))]
	text := fmt.Sprintf("%.1f ms (median %.1f)", ms(found), ms(all[len(all)/2]))
	r.row(store, what, text, fmt.Sprintf("%.0f ms", ms(target)), found < target)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func TestBenchAPI(t *testing.T) {
	r := &report{T: t}
	for _, one := range []struct {
		name string
		dsn  func(t *testing.T) string
	}{
		{"SQLite", func(t *testing.T) string { return "sqlite://" + filepath.Join(t.TempDir(), "fleet.db") }},
		{"MariaDB", func(t *testing.T) string { return mariadb.Start(t).Database() }},
	} {
		t.Run(one.name, func(t *testing.T) {
			d := start(t, one.dsn(t))
			d.measure(r, one.name)
		})
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| store\t| what\t| found\t| target\t|\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|")
	for _, row := range r.rows {
		fmt.Fprintln(w, "| "+strings.Join(row, "\t| ")+"\t|")
	}
	w.Flush()
}

// daemon is the measured process.
type daemon struct {
	served
	pid   int
	roots *x509.CertPool
	http  *http.Client
}

func start(t *testing.T, dsn string) *daemon {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), servedDSN+"="+dsn, servedFolder+"="+t.TempDir())
	c.Stderr, c.SysProcAttr = os.Stderr, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 20 * time.Second
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	})
	d := &daemon{pid: c.Process.Pid, roots: x509.NewCertPool()}
	if err := json.NewDecoder(out).Decode(&d.served); err != nil {
		t.Fatal("the measured process does not begin:", err)
	}
	d.roots.AppendCertsFromPEM([]byte(d.CA))
	d.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.roots}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64}}
	return d
}

// memory is what the process has in the machine's memory, in MB.
func (d *daemon) memory(t *testing.T) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return float64(kb) * 1024 / 1e6
		}
	}
	t.Fatal("the kernel does not tell how much memory it has")
	return 0
}

func (d *daemon) ask(ctx context.Context, client *http.Client, method, path, body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, d.Address+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+d.Token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return client.Do(r)
}

// read asks and reads the whole answer.
func (d *daemon) read(ctx context.Context, method, path, body string) ([]byte, error) {
	answer, err := d.ask(ctx, d.http, method, path, body)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %.300s", method, path, answer.Status, text)
	}
	return text, err
}

// cpu is how much time the processors have spent on the process. It tells what a request costs
// on a machine that does other things too.
func (d *daemon) cpu(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // from the third on
	var ticks int
	for _, at := range []int{11, 12} {
		n, err := strconv.Atoi(fields[at])
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func (d *daemon) measure(r *report, name string) {
	t := r.T
	pages := d.pages(t)
	r.times(name, fmt.Sprintf("a page of 100 of %d tenants, %d a second, p99", manyTenants, perSecond),
		d.load(t, listFor, func() string { return pages[rand.IntN(len(pages))] }), 0.99, listTarget)
	r.times(name, fmt.Sprintf("one tenant, %d a second, p99", perSecond),
		d.load(t, detailFor, func() string { return fmt.Sprintf("/v1/tenants/t%05d", rand.IntN(manyTenants)) }), 0.99, detailTarget)
	before := d.memory(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	came := d.listen(ctx, t)
	last := d.events(ctx, t, came)
	with := d.memory(t)
	r.times(name, fmt.Sprintf("an event at the last of %d streams, worst of %d", streams, eventTries), last, 1, eventTarget)
	r.row(name, fmt.Sprintf("memory for %d streams", streams), fmt.Sprintf("%.0f MB", with-before), fmt.Sprintf("%.0f MB", streamMemory), with-before < streamMemory)
	r.row(name, "memory of the daemon with them", fmt.Sprintf("%.0f MB", with), fmt.Sprintf("%.0f MB", daemonMemory), with < daemonMemory)
}

// pages gives the addresses of all pages.
func (d *daemon) pages(t *testing.T) []string {
	t.Helper()
	var all []string
	for cursor := ""; ; {
		address := "/v1/tenants?limit=100" + cursor
		text, err := d.read(t.Context(), http.MethodGet, address, "")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, address)
		var page struct {
			Next  string `json:"next_cursor"`
			Items []struct{ Status string }
		}
		if err := json.Unmarshal(text, &page); err != nil || len(page.Items) != 100 || page.Items[0].Status != "running" {
			t.Fatalf("%v: %.300s", err, text)
		}
		if page.Next == "" {
			break
		}
		cursor = "&cursor=" + page.Next
	}
	if len(all) != manyTenants/100 {
		t.Fatalf("%d pages", len(all))
	}
	return all
}

// load asks perSecond times a second, whether answers have come or not, and gives how long each
// took from the moment it was due.
func (d *daemon) load(t *testing.T, span time.Duration, path func() string) []time.Duration {
	t.Helper()
	n := int(span.Seconds() * perSecond)
	took, errs := make([]time.Duration, n), make([]error, n)
	var all sync.WaitGroup
	spent := d.cpu(t)
	begin := time.Now().Add(100 * time.Millisecond)
	for i := range n {
		due := begin.Add(time.Duration(i) * time.Second / perSecond)
		time.Sleep(time.Until(due))
		address := path()
		all.Go(func() {
			_, errs[i] = d.read(t.Context(), http.MethodGet, address, "")
			took[i] = time.Since(due)
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d requests such as %s: %.2f ms of a processor each", n, path(), ms(d.cpu(t)-spent)/float64(n))
	return took
}

// arrival is an event at one of the streams.
type arrival struct {
	subject string
	at      time.Time
}

// listen opens all streams, each with a connection of its own, and gives where it is told that
// one of them has an event.
func (d *daemon) listen(ctx context.Context, t *testing.T) <-chan arrival {
	t.Helper()
	came := make(chan arrival, streams)
	open := make(chan error, streams)
	turns := make(chan struct{}, 50) // TLS handshakes at once
	for range streams {
		go func() {
			turns <- struct{}{}
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.roots}, DisableCompression: true}}
			answer, err := d.ask(ctx, client, http.MethodGet, "/v1/events?type=tenant.changed", "")
			<-turns
			if err == nil && answer.StatusCode != http.StatusOK {
				err = fmt.Errorf("a stream is answered %s", answer.Status)
			}
			open <- err
			if err != nil {
				return
			}
			defer answer.Body.Close()
			lines := bufio.NewReaderSize(answer.Body, 4096)
			subject := ""
			for {
				line, err := lines.ReadSlice('\n')
				if err != nil {
					return
				}
				// The first of each tenant: a change may be told of more than once.
				_, rest, found := bytes.Cut(line, []byte(`"subject":"`))
				about, _, _ := bytes.Cut(rest, []byte(`"`))
				if found && string(about) != subject {
					subject = string(about)
					came <- arrival{subject, time.Now()}
				}
			}
		}()
	}
	for range streams {
		if err := <-open; err != nil {
			t.Fatal(err)
		}
	}
	return came
}

// events changes tenants, and gives how long each change took until every stream had told of it,
// from before the request was sent.
func (d *daemon) events(ctx context.Context, t *testing.T, came <-chan arrival) []time.Duration {
	t.Helper()
	var took []time.Duration
	for i := range eventTries {
		name := fmt.Sprintf("t%05d", i)
		sent := time.Now()
		if _, err := d.read(ctx, http.MethodPatch, "/v1/tenants/"+name, fmt.Sprintf(`{"contact":"new%d@acme.example"}`, i)); err != nil {
			t.Fatal(err)
		}
		var last time.Time
		for n := 0; n < streams; {
			select {
			case a := <-came:
				if a.subject == "tenant/"+name {
					last = a.at
					n++
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%d of %d streams have an event", n, streams)
			}
		}
		took = append(took, last.Sub(sent))
		time.Sleep(100 * time.Millisecond)
	}
	return took
}
