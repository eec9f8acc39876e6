package apifake

import (
	"context"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Answers are kept in memory.
type Answers struct {
	fleet *Fleet

	mu   sync.Mutex
	byID map[string]fleet.Answer
}

// BeginAnswer implements api.Answers.
func (a *Answers) BeginAnswer(_ context.Context, answer fleet.Answer, _ time.Duration) (fleet.Answer, bool, error) {
	if err := a.fleet.called("BeginAnswer"); err != nil {
		return fleet.Answer{}, false, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if was, known := a.byID[answer.ID]; known {
		return was, false, nil
	}
	a.byID[answer.ID] = answer
	return fleet.Answer{}, true, nil
}

// SaveAnswer implements api.Answers.
func (a *Answers) SaveAnswer(_ context.Context, answer fleet.Answer) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	answer.RequestHash = a.byID[answer.ID].RequestHash
	a.byID[answer.ID] = answer
	return nil
}

// DropAnswer implements api.Answers.
func (a *Answers) DropAnswer(_ context.Context, id string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.byID, id)
	return nil
}

// Kept gives all answers that are kept.
func (a *Answers) Kept() (all []fleet.Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, answer := range a.byID {
		all = append(all, answer)
	}
	return all
}
