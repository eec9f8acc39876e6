package migration

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/jobstest"
	"github.com/lxdfleet/lxdfleet/internal/placement"
)

// lane has moves that take a while, and remembers when each began.
type lane struct {
	Store
	book *jobstest.Memory
	took time.Duration

	mu    sync.Mutex
	began map[string]time.Time // by the key of the move's job
	most  int                  // under way at a time
}

func (l *lane) Move(_ context.Context, _ fleet.Name, _ Request, once Once) (fleet.Job, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, begun := l.began[once.Key]; !begun {
		l.began[once.Key] = time.Now()
	}
	under := 0
	for key := range l.began {
		if !l.job(key).State.Finished() {
			under++
		}
	}
	l.most = max(l.most, under)
	return l.job(once.Key), nil
}

func (l *lane) start(key string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.began[key]
}

func (l *lane) job(key string) fleet.Job {
	j := fleet.Job{ID: key, Key: key, Kind: KindMove, State: fleet.JobRunning}
	if time.Since(l.began[key]) >= l.took {
		j.State = fleet.JobDone
	}
	return j
}

func (l *lane) Job(_ context.Context, id string) (fleet.Job, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.job(id), nil
}

func (l *lane) Jobs(ctx context.Context, f jobs.JobFilter) (found []fleet.Job, err error) {
	if f.Kind == KindLater {
		return l.book.Jobs(ctx, f)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.began {
		if strings.HasPrefix(key, f.Parent+"/") {
			found = append(found, l.job(key))
		}
	}
	return found, nil
}

func (*lane) Tenant(_ context.Context, name fleet.Name) (fleet.Tenant, error) {
	return fleet.Tenant{Name: name, Window: "02:00-02:01", TimeZone: "UTC"}, nil
}

// Of the moves that were planned together for one window no more than asked for are under way at a time,
// though the engine has room for more than there are, and for fewer; and those that the window has no
// time for wait for the next one.
func TestMovesInOneWindowTakeTurns(t *testing.T) {
	for name, c := range map[string]struct {
		workers, atOnce int
		want            []time.Duration // after the window opens
	}{
		"one by one":                   {10, 1, []time.Duration{0, 40 * time.Second, 24 * time.Hour, 24*time.Hour + 40*time.Second}},
		"two at once":                  {10, 2, []time.Duration{0, 0, 40 * time.Second, 40 * time.Second}},
		"more of them than the engine": {2, 1, []time.Duration{0, 40 * time.Second, 24 * time.Hour, 24*time.Hour + 40*time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				book := jobstest.NewMemory()
				l := &lane{book: book, took: 40 * time.Second, began: map[string]time.Time{}}
				registry := jobs.NewRegistry()
				do(t, Register(registry, Deps{Store: l, Jobs: l, Mover: l}))
				engine := jobs.NewEngine(book, registry, jobs.Options{PollInterval: 10 * time.Second, Workers: c.workers})
				do(t, engine.Start(context.Background()))
				defer func() { do(t, engine.Stop(context.Background())) }()
				opens := time.Date(2000, 1, 1, 2, 0, 0, 0, time.UTC)
				ids := make([]string, len(c.want))
				for i := range ids {
					tenant := "t" + string(rune('a'+i))
					job, err := engine.Submit(t.Context(), jobs.Request{
						Kind: KindLater, Subject: "planned/" + tenant, Key: "bulk/" + tenant, NotBefore: opens,
						Args: shiftState{
							Options: Options{AtOnce: 1}, Plan: []placement.Move{{Tenant: tenant, To: "n2"}}, At: opens, Group: Group{"bulk", c.atOnce},
						},
					})
					do(t, err)
					ids[i] = job.ID + "/" + tenant
					time.Sleep(time.Millisecond)
				}
				for i, key := range ids {
					id, _, _ := strings.Cut(key, "/")
					job, err := engine.Wait(t.Context(), id)
					do(t, err)
					if began := l.start(key).Sub(opens); job.State != fleet.JobDone || began < c.want[i] || began > c.want[i]+20*time.Second {
						t.Errorf("move %d is %s, began %s after the window opened, want %s: %s", i, job.State, began, c.want[i], job.Error)
					}
				}
				if l.most > c.atOnce {
					t.Errorf("%d are under way at a time", l.most)
				}
			})
		})
	}
}
