package app

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/lxdfleet/lxdfleet/internal/api"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/webhooks"
)

// heraldLag is how many events the herald may be behind before it misses some.
const heraldLag = 10_000

// herald tells the webhooks what the feed tells.
type herald struct {
	feed   *api.Feed
	wanted func(ctx context.Context, e fleet.Event) bool
	tell   func(ctx context.Context, e fleet.Event) error
	// document gives a subject as the API shows it now; nil where there is none.
	document func(ctx context.Context, subject string) json.RawMessage
	log      *slog.Logger
	sub      *api.Subscription
}

func (a *App) wireWebhooks() {
	a.webhooks = webhooks.NewService(a.store, webhooks.Options{Logger: a.log})
	a.herald = &herald{
		feed: a.feed, sub: a.feed.Subscribe("", heraldLag), wanted: a.webhooks.Wanted, tell: a.webhooks.Tell, log: a.log,
		document: func(ctx context.Context, subject string) json.RawMessage { return a.api.Document(ctx, subject) },
	}
}

// Run tells until ctx ends, and then what has happened by then.
func (h *herald) Run(ctx context.Context) {
	last := ""
	for {
		sub := h.sub
		open := true
		for open {
			var e *fleet.Event
			select {
			case <-ctx.Done():
				sub.Close()
				for e := range sub.Events() {
					h.pass(context.WithoutCancel(ctx), *e)
				}
				return
			case e, open = <-sub.Events():
				if open {
					last = e.ID
					h.pass(ctx, *e)
				}
			}
		}
		h.sub = h.feed.Subscribe(last, heraldLag)
		if h.sub.Gap {
			h.log.Warn("the webhooks were not told of some events: too many came at once")
		}
	}
}

// pass tells one event, with what its subject is now. The steps of a job are not told: its
// changes are.
func (h *herald) pass(ctx context.Context, e fleet.Event) {
	if e.Type == "job.event" || !h.wanted(context.WithoutCancel(ctx), e) {
		return
	}
	e.Data = nil
	if doc := h.document(ctx, e.Subject); doc != nil {
		e.Data = doc
	}
	if err := h.tell(context.WithoutCancel(ctx), e); err != nil {
		h.log.Error("the webhooks could not be told of an event", "type", e.Type, "subject", e.Subject, "error", err)
	}
}
