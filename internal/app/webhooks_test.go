package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// TestHerald tells what has happened before, while and just before the end, and no steps of jobs.
func TestHerald(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := api.NewFeed(10, time.Now)
		var told []string
		h := &herald{
			feed: feed, sub: feed.Subscribe("", heraldLag), log: slog.New(slog.DiscardHandler),
			wanted:   func(_ context.Context, e fleet.Event) bool { return e.Subject != "tenant/unwanted" },
			document: func(_ context.Context, subject string) json.RawMessage { return json.RawMessage(`"` + subject + `"`) },
			tell: func(ctx context.Context, e fleet.Event) error {
				data, ok := e.Data.(json.RawMessage)
				if !ok || string(data) != `"`+e.Subject+`"` || ctx.Err() != nil {
					t.Errorf("%+v", e)
				}
				told = append(told, e.Subject)
				return nil
			},
		}
		feed.Publish(fleet.Event{Type: "tenant.changed", Subject: "tenant/early"})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); h.Run(ctx) }()
		feed.Publish(fleet.Event{Type: "tenant.changed", Subject: "tenant/unwanted"})
		feed.Publish(fleet.Event{Type: "job.event", Subject: "job/1"})
		feed.Publish(fleet.Event{Type: "job.changed", Subject: "job/1"})
		synctest.Wait()
		feed.Publish(fleet.Event{Type: "tenant.changed", Subject: "tenant/late"})
		cancel()
		<-ended
		if want := []string{"tenant/early", "job/1", "tenant/late"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}
