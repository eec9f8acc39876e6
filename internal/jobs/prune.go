package jobs

import (
	"context"
	"time"
)

// Prune removes jobs that finished longer ago than Options.Retention, and their events, and
// says how many. Stuck jobs stay. A started engine does this every hour.
func (e *Engine) Prune(ctx context.Context) (int, error) {
	if e.opt.Retention < 0 {
		return 0, nil
	}
	return e.store.DeleteJobs(ctx, e.opt.Clock().Add(-e.opt.Retention))
}

func (e *Engine) pruneHourly() {
	for sleep(e.soft, time.Hour) == nil {
		switch n, err := e.Prune(e.soft); {
		case e.soft.Err() != nil:
		case err != nil:
			e.opt.Logger.Warn("cannot remove old jobs, will try again in an hour", "error", err)
		case n > 0:
			e.opt.Logger.Info("removed old jobs", "count", n)
		}
	}
}
