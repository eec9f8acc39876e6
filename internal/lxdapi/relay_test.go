package lxdapi

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []int64
		f := &flow{limit: rate.NewLimiter(1000, 1000), tell: func(p fleet.Progress) { told = append(told, p.Bytes) }}
		start := time.Now()
		for _, n := range []int{1000, 500, 4500, 0} { // more at once than the limiter has room for
			if err := f.await(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("6000 bytes took %s", took)
		}
		if len(told) != 2 || told[0] != 1000 || told[1] != 6000 {
			t.Errorf("told %v", told)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := f.await(ctx, 10_000); err == nil {
			t.Error("it goes on though its context has ended")
		}
		if err := (*flow)(nil).await(ctx, 1); errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
