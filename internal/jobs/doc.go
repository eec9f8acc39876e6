// Package jobs runs durable operations: linear sagas whose steps are stored, so that a job
// survives the end of the process that runs it.
//
// # What is guaranteed
//
//   - A submitted job ends in a finished state, whatever happens to the daemon, unless no
//     daemon runs. Nothing is retried for ever in silence: what cannot go on is stuck, and says
//     why and what to do.
//   - A job is run by one runner at a time, and a subject has one unfinished job at a time.
//   - Steps run in order. A step whose end was stored is not run again. A step whose end was
//     not stored is run again from the state before it, so steps are ensure verbs.
//   - A job that fails before its commit point is undone: each step that started, including
//     the failed one, last first. From the commit point on it only goes forward.
//   - What watchers see is what is stored, in order and without gaps. Progress is thinned to
//     five a second, keeping the last of each step; output is gathered for 250 ms or 16 KiB and
//     cut after 1 MiB a job. Telling either never waits.
//
// # States
//
//	            a step fails                      all undone
//	queued      or cancel                    ┌──────────────────▶ undone
//	  │ │          ┌───────────▶ undoing ────┤ was it a cancel?
//	  │ │          │             │     ▲     └──────────────────▶ cancelled
//	  │ └─claim─▶ running        │     │ retry                      ▲
//	  │            │  │ ▲        │     │                            │
//	  │   all done │  │ │ retry  └──▶ stuck                         │
//	  │            │  └─┴────────────▶  an undo, or a step past the │
//	  │            ▼                    commit point, keeps failing │
//	  │           done                                              │
//	  └──────────────── cancel before any step ─────────────────────┘
//
// done, undone and cancelled are for good and free the subject. A stuck job keeps its subject
// until an operator retries it; it then goes on in the direction in which it got stuck.
//
// # Leases
//
// A runner holds its job by a lease with an epoch that grows with each claim. It renews the
// lease while it works; the store refuses every write of an older epoch. When the lease is
// gone, or has ended by the runner's own clock because the store does not answer, the step's
// context ends and the runner leaves without a word; whoever claims the job next goes on at
// the first step that is not done. A daemon that stops cancels its steps and gives its leases
// back, which is neither a failure nor a cancel.
//
// # Failures
//
// A step that cannot begin before a time gives Later: the job leaves its place to others until then.
//
// An error of code fleet.Unavailable means that trying again may help: the step is tried for
// Options.RetryWindow before that counts as a failure. Other errors count at once. Before the
// commit point the first failure turns the job back; after it, and in an undo, the step is
// tried Options.ForwardAttempts (Options.UndoAttempts) times with a growing wait, then the job
// is stuck. What a failed Do wrote into the state is dropped, as it would be by a crash. A
// panic is a failure of code fleet.Internal.
//
// # Kinds that are not here
//
// During an upgrade two versions of the daemon may share a store. A job whose kind, or version
// of it, is not registered is given back for Options.UnknownGrace so that a daemon that has it
// can take it, and is stuck after that. A kind may be registered in several versions; new jobs
// get the newest.
package jobs
