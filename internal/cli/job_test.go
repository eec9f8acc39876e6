package cli

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

func TestJobsThatFail(t *testing.T) {
	tests := []struct {
		name  string
		state fleet.JobState
		want  []string
	}{
		{"undone", fleet.JobUndone, []string{"Error: the pool is full (nothing is left behind)", "Hint: look at the log"}},
		{"stuck", fleet.JobStuck, []string{"Error: the job is stuck: the pool is full", "lxdfleet job retry 00000000000000000000000001"}},
		{"cancelled", fleet.JobCancelled, []string{"Error: the job was cancelled; nothing of it is left behind"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.Jobs.Hold()
			job, err := b.Jobs.Submit("tenant.start", "tenant/acme", nil, tenants.Once{})
			if err != nil {
				t.Fatal(err)
			}
			b.Jobs.Add(job.ID, fleet.JobEvent{Step: "clone", Type: fleet.EventFailed, Message: "the pool is full"})
			b.Jobs.Add(job.ID, fleet.JobEvent{Type: fleet.EventState, Message: "undoing"})
			b.Jobs.Add(job.ID, fleet.JobEvent{Step: "clone", Type: fleet.EventUndoStarted})
			b.Jobs.Add(job.ID, fleet.JobEvent{Step: "clone", Type: fleet.EventUndone})
			b.Jobs.Finish(job.ID, tt.state, fleet.Errorf(fleet.Exhausted, "the pool is full"))
			r := b.run("job", "watch", job.ID)
			if r.exit != exitFailed || r.out != "" {
				t.Errorf("%v", r)
			}
			for _, want := range append(tt.want, "clone: failed: the pool is full", "job: undoing what was done", "clone: taken back") {
				if !strings.Contains(r.err, want) {
					t.Errorf("%q is not in\n%s", want, r.err)
				}
			}
		})
	}
}

func TestCancelAndRetry(t *testing.T) {
	b := newBench(t)
	b.Jobs.Hold()
	job, err := b.Jobs.Submit("tenant.start", "tenant/acme", nil, tenants.Once{})
	if err != nil {
		t.Fatal(err)
	}
	if r := b.run("job", "retry", job.ID); r.exit != exitFailed || !strings.Contains(r.err, "is not stuck") {
		t.Errorf("%v", r)
	}
	if r := b.run("job", "cancel", job.ID); r.exit != exitOK || !strings.Contains(r.out, "is cancelled") {
		t.Errorf("%v", r)
	}
	if r := b.run("job", "cancel", job.ID); r.exit != exitFailed || !strings.Contains(r.err, "nothing to cancel") {
		t.Errorf("%v", r)
	}
	stuck, err := b.Jobs.Submit("tenant.start", "tenant/acme", nil, tenants.Once{})
	if err != nil {
		t.Fatal(err)
	}
	b.Jobs.Finish(stuck.ID, fleet.JobStuck, errors.New("n2 is away"))
	if r := b.run("job", "retry", stuck.ID); r.exit != exitOK || !strings.Contains(r.out, "is done") {
		t.Errorf("%v", r)
	}
}

func TestInterruptLeavesTheJobRunning(t *testing.T) {
	b := newBench(t)
	b.Jobs.Hold()
	ctx, interrupt := context.WithCancel(t.Context())
	b.ctx = ctx
	go func() {
		for range b.Jobs.Watch(t.Context(), "00000000000000000000000001", 0) {
			break
		}
	}()
	ended := make(chan result)
	go func() { ended <- b.run("tenant", "start", "acme") }()
	waitForCall(t, b, "Job 0")
	interrupt()
	r := <-ended
	for _, want := range []string{"The job goes on", "lxdfleet job watch 00000000000000000000000001", "lxdfleet job cancel 00000000000000000000000001"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("%q is not in\n%s", want, r.err)
		}
	}
	if r.exit != exitFailed {
		t.Error(r.exit)
	}
	if job, err := b.Jobs.Job(t.Context(), "00000000000000000000000001"); err != nil || job.State != fleet.JobRunning {
		t.Errorf("%+v %v", job, err)
	}
}

// waitForCall waits until the services were called with this.
func waitForCall(t *testing.T, b *bench, prefix string) {
	t.Helper()
	for t.Context().Err() == nil {
		for _, call := range b.Calls() {
			if strings.HasPrefix(call, prefix) {
				return
			}
		}
	}
}
