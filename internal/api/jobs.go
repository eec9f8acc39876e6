package api

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// ListJobs gives a page of jobs.
func (s *Server) ListJobs(ctx context.Context, r ListJobsRequestObject) (ListJobsResponseObject, error) {
	size, before, err := pageOf(r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	sorted, err := orderOf(string(r.Params.Sort), "-created", "created")
	if err != nil {
		return nil, err
	}
	if before, err = sorted.read(before); err != nil {
		return nil, err
	}
	for _, state := range r.Params.State {
		if !state.Valid() {
			return nil, fleet.Errorf(fleet.Invalid, "%q is not a job's state", state).WithField("state").
				WithHint("use queued, running, undoing, done, undone, cancelled or stuck")
		}
	}
	found, err := s.Jobs.List(ctx, jobs.JobFilter{
		Subject: r.Params.Subject, Subjects: subjectsOf(callerOf(ctx)), Kind: r.Params.Kind, States: wordsOf[fleet.JobState](r.Params.State),
		Parent: r.Params.Parent, Unfinished: r.Params.Unfinished, OldestFirst: !sorted.down, Before: before, Limit: size + 1,
	})
	if err != nil {
		return nil, err
	}
	found, next := cut(found, size, func(j fleet.Job) string { return sorted.mark(j.ID) })
	facts, err := s.Jobs.Facts(ctx, found...)
	if err != nil {
		return nil, err
	}
	list := JobList{Items: make([]Job, len(found)), NextCursor: next}
	for i, j := range found {
		list.Items[i] = jobOut(j)
		list.Items[i].Facts = facts[i]
	}
	return ListJobs200JSONResponse(list), nil
}

// GetJob gives a job with its events.
func (s *Server) GetJob(ctx context.Context, r GetJobRequestObject) (GetJobResponseObject, error) {
	job, err := s.Jobs.Job(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	job = s.waited(ctx, job)
	events, err := s.Jobs.Events(ctx, r.Id, 0, 0)
	if err != nil {
		return nil, err
	}
	facts, err := s.Jobs.Facts(ctx, job)
	if err != nil {
		return nil, err
	}
	detail := JobDetail{Job: jobOut(job), Events: make([]JobEvent, len(events))}
	detail.Job.Facts = facts[0]
	for i, e := range events {
		detail.Events[i] = jobEventOut(e)
	}
	if detail.Job.Outcomes, err = s.outcomes(ctx, job, events); err != nil {
		return nil, err
	}
	return GetJob200JSONResponse(detail), nil
}

// CancelJob asks a job to stop.
func (s *Server) CancelJob(ctx context.Context, r CancelJobRequestObject) (CancelJobResponseObject, error) {
	job, err := s.Jobs.Cancel(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return CancelJob202JSONResponse{s.accepted(ctx, job)}, nil
}

// RetryJob lets a stuck job go on.
func (s *Server) RetryJob(ctx context.Context, r RetryJobRequestObject) (RetryJobResponseObject, error) {
	job, err := s.Jobs.Retry(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return RetryJob202JSONResponse{s.accepted(ctx, job)}, nil
}

// accepted answers 202 with the job and its address, once it has ended where the request prefers
// that.
func (s *Server) accepted(ctx context.Context, job fleet.Job) JobJSONResponse {
	job = s.waited(ctx, job)
	return JobJSONResponse{Body: s.ended(ctx, job), Headers: JobResponseHeaders{Location: "/v1/jobs/" + job.ID}}
}

func jobOut(j fleet.Job) Job {
	out := Job{
		Id: j.ID, Kind: j.Kind, Subject: j.Subject, State: JobState(j.State), Finished: j.State.Finished(),
		Error: j.Error, ErrorCode: string(j.ErrorCode), Hint: j.Hint, Cancel: j.Cancel,
		CreatedAt: j.CreatedAt, UpdatedAt: j.UpdatedAt,
	}
	if j.State == fleet.JobQueued && j.NotBefore.After(j.CreatedAt) {
		out.NotBefore = j.NotBefore
	}
	return out
}

func jobEventOut(e fleet.JobEvent) JobEvent {
	return JobEvent{
		Job: e.JobID, Seq: e.Seq, Step: e.Step, Type: JobEventType(e.Type), Message: e.Message,
		Percent: e.Percent, Bytes: e.Bytes, At: e.At,
	}
}
