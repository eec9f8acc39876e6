package jobs

import (
	"context"
	"io"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Kind is a sort of job: its steps in order, and where it stops being undoable. S is the
// job's state: it starts as the job's arguments and is stored as JSON after each step, so a
// runner that resumes the job sees what the steps before the crash learned. S holds names
// and ids, never secrets.
//
// Every step is an ensure verb: done twice, it has the same result. A step decides names and
// ids before a later step acts on them.
type Kind[S any] struct {
	Name    string // "tenant.create"
	Version int    // grows when steps change in a way running jobs of the old form cannot follow
	Steps   []Step[S]
	// Commit names the first step that is not undone: once it starts, the job only goes
	// forward. Empty: the job can be undone until its last step is done.
	Commit string
	// Facts tells people what a job is about beside its subject, such as from and to of a move, by
	// names in small letters; from the state as it was stored last. They are shown in lists to
	// everybody who may see the job. Nil: nothing.
	Facts func(s S) map[string]string
}

// Step is one persisted step. Undo takes back what Do did, in part or whole, and may be called
// when Do failed half-way or was never seen to end; nil where Do leaves nothing behind.
type Step[S any] struct {
	Name string
	Do   func(ctx context.Context, run *Run, s *S) error
	Undo func(ctx context.Context, run *Run, s *S) error
}

// Run is a step's way to speak to its job. Its methods may be called from several goroutines.
type Run struct {
	JobID   string
	Subject string

	progress func(fleet.Progress)
	output   io.Writer
}

// Progress tells watchers how far the step is. Frequent calls are thinned out, never blocked on.
func (r *Run) Progress(p fleet.Progress) {
	if r.progress != nil {
		r.progress(p)
	}
}

// Output is where the step prints text for people, such as a build's output: it is stored
// with the job, streamed to watchers and cut after 1 MiB a job.
func (r *Run) Output() io.Writer {
	if r.output == nil {
		return io.Discard
	}
	return r.output
}
