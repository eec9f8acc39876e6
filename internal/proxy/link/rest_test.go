package link

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rest
		dead := unanswered{errors.New("nobody listens")}
		for _, span := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
			if err := r.reason(); err != nil {
				t.Fatalf("it rests already: %v", err)
			}
			r.outcome(dead)
			r.outcome(dead) // of another request that was under way
			time.Sleep(span - time.Millisecond)
			if err := r.reason(); !errors.Is(err, dead) {
				t.Fatalf("asked again before %v: %v", span, err)
			}
			time.Sleep(time.Millisecond)
		}
		r.outcome(dead)
		r.outcome(fleet.Errorf(fleet.Unavailable, "the store is down")) // an answer all the same
		if err := r.reason(); err != nil {
			t.Errorf("it has answered, and is not asked: %v", err)
		}
	})
}
