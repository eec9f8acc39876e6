package batch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Book reads jobs.
type Book interface {
	Job(ctx context.Context, id string) (fleet.Job, error)
}

// Outcome is what came of one tenant.
type Outcome struct {
	Job  string `json:"job,omitempty"` // empty: there was none
	Done bool   `json:"done,omitempty"`
	// Why it is not done, in words that follow the tenant's name. Empty for one that is done, or
	// that was deleted meanwhile.
	Why string `json:"why,omitempty"`
	// At is set where the job waits for its time, and is then begun: it is not waited for here.
	At time.Time `json:"at,omitzero"`
}

// OutcomeOf is what came of a tenant by a job that has ended, or waits for its time.
func OutcomeOf(job fleet.Job, now time.Time) Outcome {
	switch {
	case job.State == fleet.JobDone:
		return Outcome{Job: job.ID, Done: true}
	case Planned(job, now):
		return Outcome{Job: job.ID, Done: true, At: job.NotBefore}
	}
	return Outcome{Job: job.ID, Why: fmt.Sprintf("job %s is %s: %s", job.ID, job.State, job.Error)}
}

// Planned reports whether a job waits in the queue for a time that is still to come.
func Planned(job fleet.Job, now time.Time) bool {
	return job.State == fleet.JobQueued && job.NotBefore.After(now)
}

// Batch is such a job at work. It is used by one goroutine.
type Batch struct {
	Book   Book
	Run    *jobs.Run
	AtOnce int // how many jobs are under way at a time; at least 1
	// Did is what a tenant is once its job is done, such as "moved".
	Did string
	// Now is the clock.
	Now func() time.Time

	going map[string]fleet.Job // under way, by tenant
	ended map[string]Outcome
	since time.Time // when nothing could be begun any more; zero: something could
	news  bool      // a job has ended since Await was called last
}

// Key is the idempotency key of a tenant's job.
func (b *Batch) Key(tenant string) string { return b.Run.JobID + "/" + tenant }

// Begin submits a job for each of the tenants that has had none yet, as many as may be under way.
// submit has to use Key. waiting: there may be more to do later, after Await. An error of code
// fleet.Unavailable is handed on, so that the step is tried again; others are the tenant's outcome.
// One that is busy with another job, or waits for room, is tried again for up to ten minutes.
func (b *Batch) Begin(ctx context.Context, tenants []string, submit func(ctx context.Context, tenant string) (fleet.Job, error)) (waiting bool, err error) {
	if b.going == nil {
		b.going, b.ended = map[string]fleet.Job{}, map[string]Outcome{}
	}
	for _, tenant := range tenants {
		if b.Has(tenant) {
			continue
		}
		if len(b.going) >= max(1, b.AtOnce) {
			return true, nil
		}
		job, err := submit(ctx, tenant)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		switch fleet.CodeOf(err) {
		case "":
			b.since = time.Time{}
			if b.going[tenant] = job; job.State.Finished() || Planned(job, b.Now()) { // finished: before a crash
				b.settle(tenant, job)
			}
		case fleet.Busy, fleet.Exhausted: // another job, or room that another of these frees
			if len(b.going) == 0 && !b.Patient() {
				b.refused(tenant, err)
				continue
			}
			waiting = true
		case fleet.NotFound:
			b.ended[tenant] = Outcome{} // it was deleted meanwhile
		case fleet.Unavailable:
			return false, err
		default:
			b.refused(tenant, err)
		}
	}
	return waiting || b.news, ctx.Err()
}

// Has reports whether the tenant's job is under way, or the tenant has its outcome.
func (b *Batch) Has(tenant string) bool {
	_, going := b.going[tenant]
	_, ended := b.ended[tenant]
	return going || ended
}

// Ended is what came of each tenant so far.
func (b *Batch) Ended() map[string]Outcome { return b.ended }

// Done lists the tenants whose jobs are done, by name.
func (b *Batch) Done() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(b.ended)) {
		if b.ended[name].Done {
			names = append(names, name)
		}
	}
	return names
}

// Going lists the tenants whose jobs are under way, by name.
func (b *Batch) Going() []string { return slices.Sorted(maps.Keys(b.going)) }

// patience is how long tenants are waited for that are busy with something else.
const patience = 10 * time.Minute

// Patient reports whether it is still time to wait, while no job is under way.
func (b *Batch) Patient() bool {
	if b.since.IsZero() {
		b.since = b.Now()
	}
	return b.Now().Sub(b.since) < patience
}

// Say tells people a line: in the job's output, and as how far it is.
func (b *Batch) Say(line string) {
	b.Run.Progress(fleet.Progress{Message: line})
	_, _ = fmt.Fprintln(b.Run.Output(), line)
}

func (b *Batch) refused(tenant string, err error) {
	b.ended[tenant] = Outcome{Why: err.Error()}
	b.Say(fmt.Sprintf("%s is not %s: %v", tenant, b.Did, err))
}

func (b *Batch) settle(tenant string, job fleet.Job) {
	delete(b.going, tenant)
	b.news = true
	o := OutcomeOf(job, b.Now())
	b.ended[tenant] = o
	switch {
	case !o.At.IsZero():
		_, _ = fmt.Fprintf(b.Run.Output(), "%s waits for %s (job %s).\n", tenant, o.At.UTC().Format(time.RFC3339), job.ID)
	case o.Done:
		_, _ = fmt.Fprintf(b.Run.Output(), "%s is %s (job %s).\n", tenant, b.Did, job.ID)
	default:
		b.Say(fmt.Sprintf("%s is not %s: %s", tenant, b.Did, o.Why))
	}
}
