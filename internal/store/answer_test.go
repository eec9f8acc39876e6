package store

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func testAnswer(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	const day = 24 * time.Hour
	a := fleet.Answer{ID: "one", RequestHash: "h", CreatedAt: at(0)}
	var begun atomic.Int32
	race(t, 8, "", func(int) error {
		was, mine, err := s.BeginAnswer(ctx, a, day)
		if mine {
			begun.Add(1)
		} else if err == nil && was.RequestHash != "h" {
			t.Errorf("%+v", was)
		}
		return err
	})
	same(t, "begun", begun.Load(), int32(1))
	a.Status, a.Header, a.Body = 201, map[string]string{"Content-Type": "application/json"}, `{"name":"ü"}`
	ok(t, s.SaveAnswer(ctx, a))
	was, mine, err := s.BeginAnswer(ctx, fleet.Answer{ID: "one", RequestHash: "other", CreatedAt: at(5)}, day)
	ok(t, err)
	same(t, "begun", mine, false)
	same(t, "answer", was, a)
	ok(t, s.DropAnswer(ctx, "one"))
	ok(t, s.DropAnswer(ctx, "one"))
	_, mine, err = s.BeginAnswer(ctx, a, day)
	ok(t, err)
	same(t, "begun anew", mine, true)
	later := a
	later.CreatedAt = a.CreatedAt.Add(day)
	_, mine, err = s.BeginAnswer(ctx, later, day)
	ok(t, err)
	same(t, "begun when the day is over", mine, true)
}
