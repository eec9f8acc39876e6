package store

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func aWebhook(id, name string) fleet.Webhook {
	return fleet.Webhook{
		ID: id, Name: name, URL: "https://crm.example.org", Events: []string{"tenant."}, Tenants: []fleet.Name{"acme"},
		Secret: "s", CreatedAt: at(1), UpdatedAt: at(1), Revision: 1,
	}
}

func testWebhook(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	one, two := aWebhook("1", "b"), aWebhook("2", "a")
	ok(t, s.InsertWebhook(ctx, one))
	ok(t, s.InsertWebhook(ctx, two))
	fails(t, s.InsertWebhook(ctx, aWebhook("3", "a")), fleet.Taken, "name")
	same(t, "by name", must(s.Webhooks(ctx))(t), []fleet.Webhook{two, one})
	one.URL, one.Tenants, one.Disabled = "https://other.example.org", nil, true
	after := must(s.UpdateWebhook(ctx, one))(t)
	_, err := s.UpdateWebhook(ctx, one)
	fails(t, err, fleet.Conflict, "")
	one.Revision = 2
	same(t, "changed", after, one)
	same(t, "read", must(s.Webhook(ctx, "1"))(t), one)
	one.Name = "a"
	_, err = s.UpdateWebhook(ctx, one)
	fails(t, err, fleet.Taken, "name")
	_, err = s.UpdateWebhook(ctx, aWebhook("9", "z"))
	fails(t, err, fleet.NotFound, "id")
	ok(t, s.DeleteWebhook(ctx, "1"))
	fails(t, s.DeleteWebhook(ctx, "1"), fleet.NotFound, "id")
	_, err = s.Webhook(ctx, "1")
	fails(t, err, fleet.NotFound, "id")
}

func testDelivery(t *testing.T, db database) {
	dsn := db(t)
	stores, ctx := []*Store{openAt(t, dsn), openAt(t, dsn)}, t.Context()
	s := stores[0]
	ok(t, s.InsertWebhook(ctx, aWebhook("w", "w")))
	delivery := func(id, subject string) fleet.Delivery {
		return fleet.Delivery{
			ID: id, WebhookID: "w", Type: "tenant.changed", Subject: subject, Body: json.RawMessage(`{"a":1}`),
			State: fleet.DeliveryPending, CreatedAt: at(1), NextAt: at(1), Since: at(1),
		}
	}
	a1, a2, b1 := delivery("1", "tenant/a"), delivery("2", "tenant/a"), delivery("3", "tenant/b")
	ok(t, s.InsertDeliveries(ctx, []fleet.Delivery{a1, a2, b1}))
	claim := func(now, until int) (ids []string) {
		t.Helper()
		for _, d := range must(s.ClaimDeliveries(ctx, at(now), at(until), 10))(t) {
			ids = append(ids, d.ID)
		}
		return ids
	}
	same(t, "too early", len(claim(0, 10)), 0)
	same(t, "the first of each subject", fmt.Sprint(claim(1, 10)), "[1 3]")
	same(t, "claimed", len(claim(2, 10)), 0)
	a1.State, a1.Attempts, a1.Status, a1.NextAt, a1.DoneAt = fleet.DeliveryDelivered, 1, 200, fromMicros(0), at(3)
	ok(t, s.SaveAttempt(ctx, a1))
	same(t, "the next of its subject", fmt.Sprint(claim(4, 10)), "[2]")
	a2.Attempts, a2.Error, a2.NextAt = 1, "no", at(20)
	ok(t, s.SaveAttempt(ctx, a2))
	same(t, "claim ended, the other waits", fmt.Sprint(claim(11, 12)), "[3]")
	same(t, "all", must(s.Deliveries(ctx, fleet.DeliveryFilter{}))(t), []fleet.Delivery{b1, a2, a1})
	same(t, "state", len(must(s.Deliveries(ctx, fleet.DeliveryFilter{State: fleet.DeliveryPending}))(t)), 2)
	same(t, "page", must(s.Deliveries(ctx, fleet.DeliveryFilter{WebhookID: "w", Before: "3", Limit: 1}))(t), []fleet.Delivery{a2})

	_, err := s.ReplayDelivery(ctx, "2", at(5))
	fails(t, err, fleet.Conflict, "")
	_, err = s.ReplayDelivery(ctx, "9", at(5))
	fails(t, err, fleet.NotFound, "id")
	again := must(s.ReplayDelivery(ctx, "1", at(5)))(t)
	same(t, "replayed", again.State, fleet.DeliveryPending)
	same(t, "attempts of its own", again.Attempts, 0)
	a1.DoneAt = at(6)
	ok(t, s.SaveAttempt(ctx, a1))

	// Of many that look at the same time one gets it.
	claims := make([]int, 8)
	race(t, 8, "", func(i int) error {
		list, err := stores[i%2].ClaimDeliveries(ctx, at(30), at(40), 10)
		claims[i] = len(list)
		return err
	})
	total := 0
	for _, n := range claims {
		total += n
	}
	same(t, "claimed once", total, 2)
	ok(t, s.DropDeliveries(ctx, at(7)))
	same(t, "finished ones dropped", len(must(s.Deliveries(ctx, fleet.DeliveryFilter{}))(t)), 2)
	ok(t, s.DeleteWebhook(ctx, "w"))
	same(t, "gone with it", len(must(s.Deliveries(ctx, fleet.DeliveryFilter{}))(t)), 0)
}
