package api

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/webhooks"
)

// ListWebhooks lists the webhooks.
func (s *Server) ListWebhooks(ctx context.Context, _ ListWebhooksRequestObject) (ListWebhooksResponseObject, error) {
	found, err := s.Webhooks.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	list := WebhookList{Items: make([]Webhook, len(found))}
	for i, w := range found {
		list.Items[i] = webhookOut(w)
	}
	return ListWebhooks200JSONResponse(list), nil
}

// GetWebhook gives one webhook.
func (s *Server) GetWebhook(ctx context.Context, r GetWebhookRequestObject) (GetWebhookResponseObject, error) {
	w, err := s.Webhooks.Webhook(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return GetWebhook200JSONResponse(webhookOut(w)), nil
}

// CreateWebhook adds a webhook.
func (s *Server) CreateWebhook(ctx context.Context, r CreateWebhookRequestObject) (CreateWebhookResponseObject, error) {
	names, err := namesIn("tenants", r.Body.Tenants)
	if err != nil {
		return nil, err
	}
	w, err := s.Webhooks.Create(ctx, fleet.Webhook{
		Name: r.Body.Name, URL: r.Body.Url, Events: r.Body.Events, Tenants: names, AllowPrivate: r.Body.AllowPrivate,
	})
	if err != nil {
		return nil, err
	}
	callOf(ctx).subject = "webhook/" + w.ID
	return CreateWebhook201JSONResponse{Webhook: webhookOut(w), Secret: w.Secret}, nil
}

// EditWebhook changes a webhook.
func (s *Server) EditWebhook(ctx context.Context, r EditWebhookRequestObject) (EditWebhookResponseObject, error) {
	edit := webhooks.Edit{
		Name: r.Body.Name, URL: r.Body.Url, Events: r.Body.Events, AllowPrivate: r.Body.AllowPrivate,
		Disabled: r.Body.Disabled, NewSecret: r.Body.NewSecret,
	}
	if r.Body.Tenants != nil {
		names, err := namesIn("tenants", *r.Body.Tenants)
		if err != nil {
			return nil, err
		}
		edit.Tenants = &names
	}
	_, w, err := s.Webhooks.Edit(ctx, r.Id, edit, 0)
	if err != nil {
		return nil, err
	}
	return EditWebhook200JSONResponse{Webhook: webhookOut(w), Secret: w.Secret}, nil
}

// DeleteWebhook removes a webhook.
func (s *Server) DeleteWebhook(ctx context.Context, r DeleteWebhookRequestObject) (DeleteWebhookResponseObject, error) {
	if err := s.Webhooks.Delete(ctx, r.Id); err != nil {
		return nil, err
	}
	return DeleteWebhook204Response{}, nil
}

// TestWebhook sends a webhook an event.
func (s *Server) TestWebhook(ctx context.Context, r TestWebhookRequestObject) (TestWebhookResponseObject, error) {
	d, err := s.Webhooks.Test(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return TestWebhook202JSONResponse(deliveryOut(d)), nil
}

// ListDeliveries gives a page of a webhook's deliveries.
func (s *Server) ListDeliveries(ctx context.Context, r ListDeliveriesRequestObject) (ListDeliveriesResponseObject, error) {
	size, before, err := pageOf(r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	if r.Params.State != "" && !r.Params.State.Valid() {
		return nil, fleet.Errorf(fleet.Invalid, "%q is not a delivery's state", r.Params.State).WithField("state").
			WithHint("use pending, delivered or dead")
	}
	if _, err := s.Webhooks.Webhook(ctx, r.Id); err != nil {
		return nil, err
	}
	found, err := s.Webhooks.Deliveries(ctx, fleet.DeliveryFilter{
		WebhookID: r.Id, State: fleet.DeliveryState(r.Params.State), Before: before, Limit: size + 1,
	})
	if err != nil {
		return nil, err
	}
	found, next := cut(found, size, func(d fleet.Delivery) string { return d.ID })
	list := DeliveryList{Items: make([]Delivery, len(found)), NextCursor: next}
	for i, d := range found {
		list.Items[i] = deliveryOut(d)
	}
	return ListDeliveries200JSONResponse(list), nil
}

// ReplayDelivery sends a delivery again.
func (s *Server) ReplayDelivery(ctx context.Context, r ReplayDeliveryRequestObject) (ReplayDeliveryResponseObject, error) {
	d, err := s.Webhooks.Replay(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return ReplayDelivery202JSONResponse(deliveryOut(d)), nil
}

func webhookOut(w fleet.Webhook) Webhook {
	return Webhook{
		Id: w.ID, Name: w.Name, Url: w.URL, Events: append([]string{}, w.Events...), Tenants: namesOut(w.Tenants), AllowPrivate: w.AllowPrivate,
		Disabled: w.Disabled, CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt, Revision: w.Revision,
	}
}

func deliveryOut(d fleet.Delivery) Delivery {
	out := Delivery{
		Id: d.ID, Webhook: d.WebhookID, Type: d.Type, Subject: d.Subject, Body: d.Body, State: DeliveryState(d.State),
		Attempts: d.Attempts, Status: d.Status, Error: d.Error, CreatedAt: d.CreatedAt, NextAt: d.NextAt, DoneAt: d.DoneAt,
	}
	if d.Took > 0 {
		out.Took = max(d.Took.Round(time.Millisecond), time.Millisecond).String()
	}
	return out
}
