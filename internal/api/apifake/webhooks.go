package apifake

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/webhooks"
)

// Webhooks are webhooks whose store is in memory; nothing is sent. There is one, crm, with a
// delivery that is dead.
type Webhooks struct {
	*webhooks.Service
	fleet *Fleet

	mu         sync.Mutex
	hooks      map[string]fleet.Webhook
	deliveries map[string]fleet.Delivery
}

// Of the webhook crm.
const (
	WebhookID  = "000000000000000000000000wh"
	DeliveryID = "000000000000000000000000dx"
)

func newWebhooks(f *Fleet) *Webhooks {
	w := &Webhooks{fleet: f, hooks: map[string]fleet.Webhook{}, deliveries: map[string]fleet.Delivery{}}
	w.Service = webhooks.NewService(hookStore{w}, webhooks.Options{Now: func() time.Time { return Now }})
	w.hooks[WebhookID] = fleet.Webhook{
		ID: WebhookID, Name: "crm", URL: "https://crm.example.org/hooks", Events: []string{"tenant."}, Secret: "whsec_x",
		CreatedAt: Now.Add(-time.Hour), UpdatedAt: Now.Add(-time.Hour), Revision: 1,
	}
	w.deliveries[DeliveryID] = fleet.Delivery{
		ID: DeliveryID, WebhookID: WebhookID, Type: "tenant.changed", Subject: "tenant/acme", Body: []byte(`{"type":"tenant.changed"}`),
		State: fleet.DeliveryDead, Attempts: 17, Status: 503, Error: "the receiver answered 503", Took: 120 * time.Millisecond,
		CreatedAt: Now.Add(-30 * time.Hour), Since: Now.Add(-30 * time.Hour), DoneAt: Now.Add(-6 * time.Hour),
	}
	return w
}

// hookStore is the store.
type hookStore struct{ *hooked }

type hooked = Webhooks

var _ webhooks.Store = hookStore{}

func (h hookStore) do(f func() error) error {
	if err := h.fleet.fault("Webhooks"); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return f()
}

func (h hookStore) find(id string) (fleet.Webhook, error) {
	w, ok := h.hooks[id]
	if !ok {
		return w, fleet.Errorf(fleet.NotFound, "there is no webhook %s", id).WithField("id").WithHint("see them with `lxdfleet webhook list`")
	}
	return w, nil
}

func (h hookStore) Webhooks(context.Context) (all []fleet.Webhook, err error) {
	err = h.do(func() error {
		all = slices.SortedFunc(maps.Values(h.hooks), func(a, b fleet.Webhook) int { return cmp.Compare(a.Name, b.Name) })
		return nil
	})
	return all, err
}

func (h hookStore) Webhook(_ context.Context, id string) (w fleet.Webhook, err error) {
	err = h.do(func() error { w, err = h.find(id); return err })
	return w, err
}

func (h hookStore) InsertWebhook(_ context.Context, w fleet.Webhook) error {
	return h.do(func() error {
		for _, other := range h.hooks {
			if other.Name == w.Name {
				return fleet.Errorf(fleet.Taken, "there is a webhook %q already", w.Name).WithField("name").WithHint("choose another name")
			}
		}
		h.hooks[w.ID] = w
		return nil
	})
}

func (h hookStore) UpdateWebhook(_ context.Context, w fleet.Webhook) (fleet.Webhook, error) {
	w.Revision++
	return w, h.do(func() error { h.hooks[w.ID] = w; return nil })
}

func (h hookStore) DeleteWebhook(_ context.Context, id string) error {
	return h.do(func() error {
		if _, err := h.find(id); err != nil {
			return err
		}
		delete(h.hooks, id)
		return nil
	})
}

func (h hookStore) InsertDeliveries(_ context.Context, list []fleet.Delivery) error {
	return h.do(func() error {
		for _, d := range list {
			h.deliveries[d.ID] = d
		}
		return nil
	})
}

func (h hookStore) ClaimDeliveries(context.Context, time.Time, time.Time, int) ([]fleet.Delivery, error) {
	return nil, h.do(func() error { return nil })
}

func (h hookStore) SaveAttempt(_ context.Context, d fleet.Delivery) error {
	return h.InsertDeliveries(context.Background(), []fleet.Delivery{d})
}

func (h hookStore) ReplayDelivery(_ context.Context, id string, now time.Time) (d fleet.Delivery, err error) {
	err = h.do(func() error {
		var ok bool
		if d, ok = h.deliveries[id]; !ok {
			return fleet.Errorf(fleet.NotFound, "there is no delivery %s", id).WithField("id").WithHint("see them with `lxdfleet webhook deliveries`")
		}
		if d.State == fleet.DeliveryPending {
			return fleet.Errorf(fleet.Conflict, "delivery %s is on its way", id).WithHint("wait for its next attempt")
		}
		d.State, d.NextAt, d.Since, d.DoneAt = fleet.DeliveryPending, now, now, time.Time{}
		h.deliveries[id] = d
		return nil
	})
	return d, err
}

func (h hookStore) Deliveries(_ context.Context, f fleet.DeliveryFilter) (all []fleet.Delivery, err error) {
	err = h.do(func() error {
		for _, d := range slices.Backward(slices.SortedFunc(maps.Values(h.deliveries), func(a, b fleet.Delivery) int { return cmp.Compare(a.ID, b.ID) })) {
			if d.WebhookID == f.WebhookID && (f.State == "" || d.State == f.State) && (f.Before == "" || d.ID < f.Before) && (f.Limit == 0 || len(all) < f.Limit) {
				all = append(all, d)
			}
		}
		return nil
	})
	return all, err
}

func (h hookStore) DropDeliveries(context.Context, time.Time) error { return nil }
