package tenants

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, q := time.Now(), newQueue()
		at := began.Add
		q.add("late", at(time.Minute))
		q.add("late", at(time.Second)) // earlier wins
		q.add("late", at(time.Hour))
		q.add("dropped", at(time.Second))
		q.drop("dropped")
		var mu sync.Mutex
		worked := map[string][]time.Duration{}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		time.AfterFunc(2*time.Minute, func() { q.add("again", time.Now()) })
		time.AfterFunc(2*time.Minute+time.Second, func() { q.add("again", time.Now()) }) // while it is worked on
		q.run(ctx, 2, func(_ context.Context, name string) {
			mu.Lock()
			worked[name] = append(worked[name], time.Since(began))
			mu.Unlock()
			time.Sleep(30 * time.Second)
		})
		if len(worked["late"]) != 1 || worked["late"][0] != time.Second || len(worked["dropped"]) != 0 {
			t.Errorf("worked at %v", worked)
		}
		if a := worked["again"]; len(a) != 2 || a[1]-a[0] != 30*time.Second {
			t.Errorf("worked at %v", worked)
		}
	})
}

func TestQueueBoundsItsHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		for i := range 100 {
			q.add(string(rune('a'+i%26))+string(rune('a'+i/26)), time.Now())
		}
		var now, most, total atomic.Int32
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		q.run(ctx, 7, func(context.Context, string) {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			now.Add(-1)
			total.Add(1)
		})
		if most.Load() != 7 || total.Load() != 100 {
			t.Errorf("%d at once, %d in all; want 7 and 100", most.Load(), total.Load())
		}
	})
}
