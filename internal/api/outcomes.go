package api

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/bulk"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/batch"
	"github.com/lxdfleet/lxdfleet/internal/migration"
)

// mostParts bounds how many tenants a job's outcomes are read for; a job has no more.
const mostParts = 20_000

// ofMany reports whether jobs of a kind work on many tenants by jobs of their own.
func ofMany(kind string) bool {
	switch kind {
	case bulk.Kind, migration.KindDrain, migration.KindRestore, migration.KindRebalance, migration.KindLater:
		return true
	}
	return false
}

// outcomes tells what came of each tenant of a job so far; nil for a job on one thing. events are
// the job's.
func (s *Server) outcomes(ctx context.Context, job fleet.Job, events []fleet.JobEvent) ([]JobOutcome, error) {
	if !ofMany(job.Kind) {
		return nil, nil
	}
	begun, err := s.Jobs.List(ctx, jobs.JobFilter{Parent: job.ID, Limit: mostParts})
	if err != nil {
		return nil, err
	}
	told, err := s.Jobs.Facts(ctx, begun...)
	if err != nil {
		return nil, err
	}
	facts := make(map[string]map[string]string, len(begun))
	for i, j := range begun {
		facts[j.ID] = told[i]
	}
	parts := batch.Parts(job, events, begun, s.Now())
	out := make([]JobOutcome, len(parts))
	for i, p := range parts {
		out[i] = JobOutcome{Tenant: p.Tenant, State: JobOutcomeState(p.State), Job: p.Job, Why: p.Why, At: p.At, Facts: facts[p.Job]}
	}
	return out, nil
}

// ended gives a job as jobOut does, with its facts, and with what came of each tenant where it has
// ended. That cannot be read for a moment is no error of a request that is done: whoever wants to know
// asks for the job.
func (s *Server) ended(ctx context.Context, job fleet.Job) Job {
	out := jobOut(job)
	if facts, err := s.Jobs.Facts(ctx, job); err != nil {
		s.log.Warn("cannot read what a job is about", "job", job.ID, "error", err)
	} else {
		out.Facts = facts[0]
	}
	if !job.State.Finished() || !ofMany(job.Kind) {
		return out
	}
	events, err := s.Jobs.Events(ctx, job.ID, 0, 0)
	if err == nil {
		out.Outcomes, err = s.outcomes(ctx, job, events)
	}
	if err != nil {
		s.log.Warn("cannot read what came of a job's tenants", "job", job.ID, "error", err)
	}
	return out
}
