package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Ping is the type of the event that Test sends.
const Ping = "webhook.ping"

// message is the body of a delivery.
type message struct {
	ID      string `json:"id"` // of the delivery
	Type    string `json:"type"`
	Subject string `json:"subject"`
	Tenant  string `json:"tenant,omitempty"` // that it is about
	At      string `json:"at"`               // RFC 3339
	Data    any    `json:"data,omitempty"`
}

// Wanted reports whether a webhook is to be told of an event; also where that cannot be known.
func (s *Service) Wanted(ctx context.Context, e fleet.Event) bool {
	hooks, err := s.store.Webhooks(ctx)
	return err != nil || slices.ContainsFunc(hooks, func(w fleet.Webhook) bool { return w.Wants(e) })
}

// Tell stores an event for each webhook that wants it.
func (s *Service) Tell(ctx context.Context, e fleet.Event) error {
	hooks, err := s.store.Webhooks(ctx)
	if err != nil {
		return err
	}
	var list []fleet.Delivery
	for _, w := range hooks {
		if !w.Wants(e) {
			continue
		}
		d, err := s.delivery(w, e)
		if err != nil {
			return err
		}
		list = append(list, d)
	}
	if len(list) == 0 {
		return nil
	}
	if err := s.store.InsertDeliveries(ctx, list); err != nil {
		return err
	}
	s.ring()
	return nil
}

// Test sends an event of type webhook.ping to one webhook, whatever it wants; fleet.NotFound,
// fleet.Conflict where it is disabled.
func (s *Service) Test(ctx context.Context, id string) (fleet.Delivery, error) {
	w, err := s.store.Webhook(ctx, id)
	if err != nil {
		return fleet.Delivery{}, err
	}
	if w.Disabled {
		return fleet.Delivery{}, fleet.Errorf(fleet.Conflict, "webhook %s is disabled", w.Name).WithHint("enable it first")
	}
	d, err := s.delivery(w, fleet.Event{Type: Ping, Subject: "webhook/" + w.ID, At: s.opt.Now()})
	if err != nil {
		return fleet.Delivery{}, err
	}
	if err := s.store.InsertDeliveries(ctx, []fleet.Delivery{d}); err != nil {
		return fleet.Delivery{}, err
	}
	s.ring()
	return d, nil
}

func (s *Service) delivery(w fleet.Webhook, e fleet.Event) (fleet.Delivery, error) {
	id, now := s.nextID()
	body, err := json.Marshal(message{ID: id, Type: e.Type, Subject: e.Subject, Tenant: e.About().String(), At: e.At.UTC().Format("2006-01-02T15:04:05.000Z"), Data: e.Data})
	if err != nil {
		return fleet.Delivery{}, fmt.Errorf("write event %s: %w", e.Type, err)
	}
	order := e.Subject
	if tenant := e.About(); tenant != "" {
		order = "tenant/" + tenant.String() // also its jobs and backups: what is of one tenant comes in order
	}
	return fleet.Delivery{
		ID: id, WebhookID: w.ID, Type: e.Type, Subject: order, Body: body,
		State: fleet.DeliveryPending, CreatedAt: now, NextAt: now, Since: now,
	}, nil
}
