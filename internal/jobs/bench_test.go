package jobs_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

// BenchmarkJob is what the engine and SQLite cost a job of five steps that do nothing, from
// Submit to the end of Wait: one after the other, and many at once.
func BenchmarkJob(b *testing.B) {
	for _, workers := range []int{1, 32} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			db, err := store.Open(b.Context(), "sqlite://"+b.TempDir()+"/jobs.db")
			if err != nil {
				b.Fatal(err)
			}
			reg := jobs.NewRegistry()
			kind := jobs.Kind[work]{Name: "work", Version: 1}
			for i := range 5 {
				kind.Steps = append(kind.Steps, jobs.Step[work]{
					Name: fmt.Sprint("step", i),
					Do:   func(_ context.Context, _ *jobs.Run, w *work) error { w.Did = append(w.Did, "x"); return nil },
				})
			}
			if err := jobs.Register(reg, kind); err != nil {
				b.Fatal(err)
			}
			e := jobs.NewEngine(db, reg, jobs.Options{Workers: workers})
			if err := e.Start(b.Context()); err != nil {
				b.Fatal(err)
			}
			n := make(chan int, b.N)
			for i := range b.N {
				n <- i
			}
			close(n)
			b.ResetTimer()
			finished := make(chan error, workers)
			for range workers {
				go func() { finished <- submitAll(b.Context(), e, n) }()
			}
			for range workers {
				if err := <-finished; err != nil {
					b.Error(err)
				}
			}
			b.StopTimer()
			if err := e.Stop(b.Context()); err != nil {
				b.Error(err)
			}
			if err := db.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}

func submitAll(ctx context.Context, e *jobs.Engine, n <-chan int) error {
	for i := range n {
		job, err := e.Submit(ctx, jobs.Request{Kind: "work", Subject: fmt.Sprint("tenant/t", i)})
		if err != nil {
			return err
		}
		if job, err = e.Wait(ctx, job.ID); err != nil || job.State != fleet.JobDone {
			return fmt.Errorf("job ended as %s: %w", job.State, err)
		}
	}
	return nil
}
