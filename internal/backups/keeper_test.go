package backups

import (
	"context"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

func TestKeeper(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		keeper := &Keeper{Service: w.service, PruneEvery: 10 * time.Minute, VerifyEvery: 40 * time.Minute, Look: time.Minute}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); keeper.Run(ctx) }()
		ran := func(kind string, want int) {
			t.Helper()
			list, err := w.engine.List(t.Context(), jobs.JobFilter{Kind: kind})
			do(t, err)
			if len(list) != want {
				t.Errorf("%d jobs of kind %s, want %d", len(list), kind, want)
			}
		}
		time.Sleep(45 * time.Minute) // there is nothing to keep
		ran(KindPrune, 0)
		w.backup("acme")
		time.Sleep(25 * time.Minute)
		ran(KindPrune, 2)
		ran(KindVerify, 0)
		time.Sleep(20 * time.Minute)
		ran(KindPrune, 4)
		ran(KindVerify, 1)
		w.server.mu.Lock()
		w.server.down = true
		w.server.mu.Unlock()
		do(t, w.vault.Close(t.Context()))
		time.Sleep(15 * time.Minute)
		ran(KindPrune, 4)
		cancel()
		<-ended
	})
}
