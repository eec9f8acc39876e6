package batch

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// PartState says how far a job for many tenants is with one of them.
type PartState string

// What can be of a tenant.
const (
	NotBegun PartState = "not_begun" // yet, or at all where the job is finished
	UnderWay PartState = "under_way"
	Done     PartState = "done"
	Failed   PartState = "failed"  // or refused; Why says it
	Gone     PartState = "gone"    // the tenant was deleted meanwhile
	Waiting  PartState = "planned" // its job waits for At
)

// Part is what came of one tenant so far.
type Part struct {
	Tenant string
	State  PartState
	Job    string    // the tenant's own; empty: there was none
	Why    string    // of Failed, in words that follow the tenant's name
	At     time.Time // of Waiting
}

// record is what jobs for many tenants write down, those of earlier versions included: a shift has
// moved and left only.
type record struct {
	Tenants  []string           `json:"tenants"`
	Outcomes map[string]Outcome `json:"outcomes"`
	Moved    []string           `json:"moved"`
	Left     map[string]string  `json:"left"`
}

// Parts tells what came of each tenant of such a job so far, by name: from what the job has written
// down, and from the jobs that it has begun for them. What cannot be read of the former is left out.
func Parts(job fleet.Job, events []fleet.JobEvent, begun []fleet.Job, now time.Time) []Part {
	said := recordOf(job, events)
	parts := map[string]Part{}
	for _, tenant := range said.Tenants {
		parts[tenant] = Part{State: NotBegun}
	}
	for _, tenant := range said.Moved {
		parts[tenant] = Part{State: Done}
	}
	for tenant, why := range said.Left {
		parts[tenant] = Part{State: Failed, Why: why}
	}
	for tenant, o := range said.Outcomes {
		parts[tenant] = o.part()
	}
	for _, j := range begun { // they know better: what was planned may have ended since
		if tenant, ok := strings.CutPrefix(j.Key, job.ID+"/"); ok {
			parts[tenant] = partOf(j, now)
		}
	}
	out := make([]Part, 0, len(parts))
	for _, tenant := range slices.Sorted(maps.Keys(parts)) {
		p := parts[tenant]
		p.Tenant = tenant
		out = append(out, p)
	}
	return out
}

// recordOf is the last that the job has written down.
func recordOf(job fleet.Job, events []fleet.JobEvent) (r record) {
	texts := []json.RawMessage{job.Args}
	for _, e := range events {
		if len(e.State) > 0 {
			texts = append(texts, e.State)
		}
	}
	for _, text := range slices.Backward(texts) {
		var found record
		if json.Unmarshal(text, &found) == nil {
			return found
		}
	}
	return r
}

func (o Outcome) part() Part {
	switch {
	case !o.At.IsZero():
		return Part{State: Waiting, Job: o.Job, At: o.At}
	case o.Done:
		return Part{State: Done, Job: o.Job}
	case o.Why == "":
		return Part{State: Gone, Job: o.Job}
	}
	return Part{State: Failed, Job: o.Job, Why: o.Why}
}

func partOf(job fleet.Job, now time.Time) Part {
	if !job.State.Finished() && !Planned(job, now) {
		return Part{State: UnderWay, Job: job.ID}
	}
	return OutcomeOf(job, now).part()
}
