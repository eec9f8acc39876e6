package tenants

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestStartsWaitForTheClonesOfTheirMember(t *testing.T) {
	tests := []struct {
		name   string
		clones map[string]time.Duration // made on a member, and how long it takes
		want   time.Duration            // that a start on n1 waits
	}{
		{"no clones", nil, 0},
		{"of another member", map[string]time.Duration{"n2": time.Second}, 0},
		{"until it is made", map[string]time.Duration{"n1": 2 * time.Second}, 2 * time.Second},
		{"not for ever", map[string]time.Duration{"n1": time.Hour}, startPatience},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var n nursery
				for member, d := range tt.clones {
					time.AfterFunc(d, n.enter(member))
				}
				began := time.Now()
				if err := n.wait(t.Context(), "n1"); err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(began); waited != tt.want {
					t.Errorf("waited %s, want %s", waited, tt.want)
				}
				time.Sleep(2 * time.Hour)
				if err := n.wait(t.Context(), "n1"); err != nil || len(n.making)+len(n.settled) > 0 {
					t.Errorf("left behind: %v, %v, %v", err, n.making, n.settled)
				}
			})
		})
	}
}

func TestAllStartsGoOnAfterTheLastClone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n nursery
		leave := []func(){n.enter("n1"), n.enter("n1")}
		ended := make(chan error, 3)
		for range 2 {
			go func() { ended <- n.wait(t.Context(), "n1") }()
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { ended <- n.wait(ctx, "n1") }()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		leave[0]()
		synctest.Wait()
		if len(ended) > 0 {
			t.Error("a start did not wait for the second clone")
		}
		leave[1]()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}
