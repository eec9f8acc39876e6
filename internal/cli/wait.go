package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// waiting are the flags of a command that starts a job.
type waiting struct {
	tool   *tool
	noWait bool
	key    string
}

func (t *tool) waitFlags(c *cobra.Command) *waiting {
	w := &waiting{tool: t}
	c.Flags().BoolVar(&w.noWait, "no-wait", false, "print the job's id and do not wait for its end")
	return w
}

func (w *waiting) keyFlag(c *cobra.Command) {
	c.Flags().StringVar(&w.key, "idempotency-key", "", "`text` unique to this request: repeating it gives the same job")
}

// job reads the job that an operation answered with and waits for its end. done is called once
// it is done, where people read the output.
func (w *waiting) job(ctx context.Context, d *client.Daemon, done func(client.Job) error, answer *http.Response, err error) error {
	job, err := client.Decode[client.Job](answer, err)
	if err != nil {
		return err
	}
	if w.noWait {
		return w.tool.print(job, func() error { _, err := fmt.Fprintln(w.tool.Out, job.Id); return err })
	}
	if job, err = w.tool.follow(ctx, d, job); err != nil {
		return err
	}
	return w.tool.print(job, func() error { return done(job) })
}

// follow shows what a job does until it is finished. A job that did not get done is an error.
func (t *tool) follow(ctx context.Context, d *client.Daemon, job client.Job) (client.Job, error) {
	view := t.progress(job.CreatedAt)
	end, err := d.Follow(ctx, job.Id, view.event)
	view.close()
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, client.ErrUnreachable) {
			fmt.Fprintf(t.Err, "The job goes on without us.\nWatch it with:  lxdfleet job watch %s\nCancel it with: lxdfleet job cancel %s\n", job.Id, job.Id)
		}
		if ctx.Err() != nil {
			return job, errSaid
		}
		return job, err
	}
	return end, outcome(end)
}

// ofMany are the kinds of jobs that work on many tenants by jobs of their own, and take nothing back.
var ofMany = []string{"tenant.bulk", "member.drain", "member.restore", "fleet.rebalance", "tenant.move-later"}

// outcome is the error of a job that did not get done.
func outcome(j client.Job) error {
	hint := j.Hint
	if hint == "" {
		hint = "see what it did with: lxdfleet job show " + j.Id
	}
	reason := j.Error
	if reason == "" {
		reason = "no reason is recorded"
	}
	switch j.State {
	case client.JobStateDone:
		return nil
	case client.JobStateCancelled:
		if slices.Contains(ofMany, j.Kind) {
			return fleet.Errorf(fleet.Cancelled, "the job was cancelled; what it had begun is finished or goes on, and what is done stays done")
		}
		return fleet.Errorf(fleet.Cancelled, "the job was cancelled; nothing of it is left behind")
	case client.JobStateUndone:
		if slices.Contains(ofMany, j.Kind) {
			return fleet.Errorf(fleet.Code(j.ErrorCode), "%s", reason).WithHint("%s", hint)
		}
		return fleet.Errorf(fleet.Code(j.ErrorCode), "%s (nothing is left behind)", reason).WithHint("%s", hint)
	case client.JobStateStuck:
		return fleet.Errorf(fleet.Code(j.ErrorCode), "the job is stuck: %s", reason).
			WithHint("%s; once it is mended: lxdfleet job retry %s", hint, j.Id)
	}
	return fleet.Errorf(fleet.Internal, "the job ended as %s", j.State)
}
