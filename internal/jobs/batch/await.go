package batch

import (
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// lookEvery is how often jobs under way are looked at.
const lookEvery = 250 * time.Millisecond

// Await returns when one of the jobs has ended, or after a while where none is under way.
func (b *Batch) Await(ctx context.Context) error {
	for looks := 0; ; looks++ {
		if b.news {
			b.news = false
			return ctx.Err()
		}
		if err := Pause(ctx, lookEvery); err != nil {
			return err
		}
		if err := b.look(ctx); err != nil || len(b.going) == 0 && !b.news && looks > 8 {
			return err
		}
	}
}

// Pause waits, or gives the context's error where that ends before.
func Pause(ctx context.Context, span time.Duration) error {
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (b *Batch) look(ctx context.Context) error {
	for tenant, job := range b.going {
		now, err := b.Book.Job(ctx, job.ID)
		if fleet.CodeOf(err) == fleet.NotFound {
			now, err = fleet.Job{ID: job.ID, State: fleet.JobUndone, Error: "its record is gone"}, nil
		}
		if err != nil {
			return fmt.Errorf("read job %s: %w", job.ID, err)
		}
		if now.State.Finished() {
			b.settle(tenant, now)
		}
	}
	return nil
}
