package jobs

import (
	"context"
	"fmt"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Facts tells of each job, in the order given, what its kind tells people of it; see [Kind]. Nil of
// one whose kind tells nothing, or is not here.
func (e *Engine) Facts(ctx context.Context, list ...fleet.Job) ([]map[string]string, error) {
	var ids []string
	for _, job := range list {
		if k := e.kinds.exact(job.Kind, job.KindVersion); k != nil && k.facts != nil {
			ids = append(ids, job.ID)
		}
	}
	facts := make([]map[string]string, len(list))
	if len(ids) == 0 {
		return facts, nil
	}
	states, err := e.store.LastStates(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read what jobs are about: %w", err)
	}
	for i, job := range list {
		k := e.kinds.exact(job.Kind, job.KindVersion)
		if k == nil || k.facts == nil {
			continue
		}
		state := job.Args
		if last, stored := states[job.ID]; stored {
			state = last
		}
		facts[i] = k.facts(state)
	}
	return facts, nil
}
