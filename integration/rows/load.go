package rows

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Page is what the load needs in the tenant, served at its URL.
//
//go:embed rows.php
var Page []byte

// Schema makes the load's tables, empty, in the tenant's database wordpress.
//
//go:embed rows.sql
var Schema string

// PagePath is where Page belongs in a WordPress tenant, and PageURL where it is served then.
const (
	PagePath = "/var/lib/wordpress/wp-content/rows.php"
	PageURL  = "/wp-content/rows.php"
)

// Options say what load to put on which tenant.
type Options struct {
	// Site is the tenant's URL, without a final slash.
	Site string
	// Client makes the requests; its timeout is the longest that one may be held.
	Client *http.Client
	// Writers commit, one transaction after the other, and Readers fetch the front page.
	Writers, Readers int
	// Pause is how long each rests between two requests.
	Pause time.Duration
	// Every, where it is not 0, takes the place of Pause: each begins a request so often, as long
	// as it is answered in that time, and they begin one after the other. The load is the same
	// however quick the answers are.
	Every time.Duration
}

// Commit is one transaction that a writer asked for.
type Commit struct {
	Writer, Seq int
	// Sent and Acked are ticks; Acked is 0 where there was no good answer, and nobody knows
	// whether it was committed.
	Sent, Acked     int
	SentAt, AckedAt time.Time
}

// Load is a number of writers and readers at work. Safe for concurrent use.
type Load struct {
	options Options
	stop    context.CancelFunc
	group   sync.WaitGroup

	mu       sync.Mutex
	tick     int
	commits  []*Commit
	pages    []Visit
	failures []string
}

// Visit is a page that was fetched.
type Visit struct{ From, To time.Time }

// Start begins a load, which goes on until Stop.
func Start(o Options) *Load {
	ctx, stop := context.WithCancel(context.Background())
	l := &Load{options: o, stop: stop}
	for w := range o.Writers {
		l.group.Go(func() { l.write(ctx, w, o.pace(w)) })
	}
	for r := range o.Readers {
		l.group.Go(func() { l.read(ctx, o.pace(o.Writers+r)) })
	}
	return l
}

// pace gives the wait before a request of the n-th worker, which is told whether it is the first.
func (o Options) pace(n int) func(ctx context.Context, first bool) {
	if o.Every == 0 {
		return func(ctx context.Context, first bool) {
			if !first {
				_ = sleep(ctx, o.Pause)
			}
		}
	}
	next := time.Now().Add(o.Every * time.Duration(n) / time.Duration(o.Writers+o.Readers))
	return func(ctx context.Context, _ bool) {
		_ = sleep(ctx, time.Until(next))
		for !next.After(time.Now()) {
			next = next.Add(o.Every) // what could not be asked in time is left out
		}
	}
}

// Stop ends the load once the requests under way are answered.
func (l *Load) Stop() {
	l.stop()
	l.group.Wait()
}

// Now is the present tick, for Cut.
func (l *Load) Now() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tick++
	return l.tick
}

// Commits gives all transactions so far, in the order they were sent.
func (l *Load) Commits() []Commit {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Commit, len(l.commits))
	for i, c := range l.commits {
		out[i] = *c
	}
	return out
}

// Failures tells every request that had no good answer.
func (l *Load) Failures() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.failures)
}

// Visits gives the pages fetched so far.
func (l *Load) Visits() []Visit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.pages)
}

// Await waits until so many more transactions are committed, and fails after a minute.
func (l *Load) Await(ctx context.Context, more int) error {
	acked := func() (n int) {
		for _, c := range l.Commits() {
			if c.Acked != 0 {
				n++
			}
		}
		return n
	}
	want, deadline := acked()+more, time.Now().Add(time.Minute)
	for acked() < want {
		if time.Now().After(deadline) {
			failures := l.Failures()
			return fmt.Errorf("%d of %d commits in a minute; %d requests failed, such as %q",
				acked(), want, len(failures), failures[max(0, len(failures)-3):])
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// Stall is the longest time between two answers to writers that began in the span: how long
// nobody could write.
func (l *Load) Stall(from, to time.Time) time.Duration {
	var acks []time.Time
	for _, c := range l.Commits() {
		if c.Acked != 0 {
			acks = append(acks, c.AckedAt)
		}
	}
	slices.SortFunc(acks, time.Time.Compare)
	var longest time.Duration
	for i := 1; i < len(acks); i++ {
		if acks[i].Before(from) || acks[i-1].After(to) {
			continue
		}
		longest = max(longest, acks[i].Sub(acks[i-1]))
	}
	return longest
}

func (l *Load) write(ctx context.Context, writer int, await func(context.Context, bool)) {
	for seq := 1; ; seq++ {
		if await(ctx, seq == 1); ctx.Err() != nil {
			return
		}
		c := l.send(writer, seq)
		answer, err := l.post(url.Values{
			"writer": {strconv.Itoa(writer)}, "seq": {strconv.Itoa(seq)}, "seen": {strconv.Itoa(c.Sent)},
		})
		if err == nil && answer != fmt.Sprintf("committed %d %d\n", writer, seq) {
			err = fmt.Errorf("%q", answer)
		}
		l.answered(c, err)
	}
}

func (l *Load) send(writer, seq int) *Commit {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tick++
	c := &Commit{Writer: writer, Seq: seq, Sent: l.tick, SentAt: time.Now()}
	l.commits = append(l.commits, c)
	return c
}

func (l *Load) answered(c *Commit, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tick++
	if err != nil {
		l.fail(fmt.Errorf("commit %d of writer %d: %w", c.Seq, c.Writer, err))
		return
	}
	c.Acked, c.AckedAt = l.tick, time.Now()
}

// fail is called with the lock held.
func (l *Load) fail(err error) {
	l.failures = append(l.failures, time.Now().Format("15:04:05.000 ")+err.Error())
}

func (l *Load) read(ctx context.Context, await func(context.Context, bool)) {
	for first := true; ; first = false {
		if await(ctx, first); ctx.Err() != nil {
			return
		}
		from := time.Now()
		body, err := l.do(http.MethodGet, "/", nil)
		if err == nil && !strings.Contains(body, "</html>") {
			err = fmt.Errorf("no whole page: %.100q", body)
		}
		l.mu.Lock()
		if err != nil {
			l.fail(fmt.Errorf("front page: %w", err))
		} else {
			l.pages = append(l.pages, Visit{From: from, To: time.Now()})
		}
		l.mu.Unlock()
	}
}

func (l *Load) post(form url.Values) (string, error) {
	return l.do(http.MethodPost, PageURL, strings.NewReader(form.Encode()))
}

// do makes a request that is not broken off when the load ends: its answer counts.
func (l *Load) do(method, path string, body io.Reader) (string, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, l.options.Site+path, body)
	if err != nil {
		return "", err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := l.options.Client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.100q", resp.Status, answer)
	}
	return string(answer), err
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
