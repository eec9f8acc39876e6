package webhooks

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Store keeps webhooks and deliveries. Errors are those its implementation in package store
// tells of.
type Store interface {
	Webhooks(ctx context.Context) ([]fleet.Webhook, error)
	Webhook(ctx context.Context, id string) (fleet.Webhook, error)
	InsertWebhook(ctx context.Context, w fleet.Webhook) error
	UpdateWebhook(ctx context.Context, w fleet.Webhook) (fleet.Webhook, error)
	DeleteWebhook(ctx context.Context, id string) error
	InsertDeliveries(ctx context.Context, list []fleet.Delivery) error
	ClaimDeliveries(ctx context.Context, now, until time.Time, limit int) ([]fleet.Delivery, error)
	SaveAttempt(ctx context.Context, d fleet.Delivery) error
	ReplayDelivery(ctx context.Context, id string, now time.Time) (fleet.Delivery, error)
	Deliveries(ctx context.Context, f fleet.DeliveryFilter) ([]fleet.Delivery, error)
	DropDeliveries(ctx context.Context, before time.Time) error
}

// Options tune a Service. The zero value is good for production.
type Options struct {
	// GiveUp is how long a delivery is tried. Default a day.
	GiveUp time.Duration
	// KeepFor is how long finished deliveries are kept. Default 7 days.
	KeepFor time.Duration
	// Timeout bounds an attempt. Default 15 s.
	Timeout time.Duration
	// AtOnce is how many are sent at the same time. Default 8.
	AtOnce int
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Logger gets failures. Default: nothing is logged.
	Logger *slog.Logger
}

// Service keeps webhooks and sends deliveries.
type Service struct {
	store Store
	opt   Options
	bell  chan struct{} // something is due
	send  func(ctx context.Context, w fleet.Webhook, d fleet.Delivery) outcome

	mu   sync.Mutex
	last time.Time // of the newest ID
}

// NewService makes a Service; Run sends.
func NewService(store Store, opt Options) *Service {
	opt.GiveUp = cmp.Or(opt.GiveUp, 24*time.Hour)
	opt.KeepFor = cmp.Or(opt.KeepFor, 7*24*time.Hour)
	opt.Timeout = cmp.Or(opt.Timeout, 15*time.Second)
	opt.AtOnce = cmp.Or(opt.AtOnce, 8)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{store: store, opt: opt, bell: make(chan struct{}, 1)}
	s.send = newSender(opt.Timeout, opt.Now).send
	return s
}

// nextID gives IDs that sort in the order in which they were asked for.
func (s *Service) nextID() (id string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now = s.opt.Now()
	at := now.Truncate(time.Millisecond) // all that an ID holds of a time
	if !at.After(s.last) {
		at = s.last.Add(time.Millisecond)
	}
	s.last = at
	return fleet.NewID(s.last), now
}

// Webhooks lists the webhooks by name.
func (s *Service) Webhooks(ctx context.Context) ([]fleet.Webhook, error) {
	return s.store.Webhooks(ctx)
}

// Webhook gives one; fleet.NotFound.
func (s *Service) Webhook(ctx context.Context, id string) (fleet.Webhook, error) {
	return s.store.Webhook(ctx, id)
}

// Create adds a webhook and gives it as stored, with the secret that it is shown with this once.
func (s *Service) Create(ctx context.Context, w fleet.Webhook) (fleet.Webhook, error) {
	if err := check(&w); err != nil {
		return fleet.Webhook{}, err
	}
	id, now := s.nextID()
	w.ID, w.Secret, w.CreatedAt, w.UpdatedAt, w.Revision = id, newSecret(), now, now, 1
	return w, s.store.InsertWebhook(ctx, w)
}

func newSecret() string {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand never fails on a supported kernel
	}
	return "whsec_" + base64.RawURLEncoding.EncodeToString(b[:])
}

// Edit asks for a change of a webhook. What is nil stays as it is.
type Edit struct {
	Name         *string
	URL          *string
	Events       *[]string
	Tenants      *[]fleet.Name // an empty list: all
	AllowPrivate *bool
	Disabled     *bool
	NewSecret    bool
}

// Edit changes a webhook. With revision, only where it is still at that one (fleet.Conflict). The
// secret is in the answer only where it is new.
func (s *Service) Edit(ctx context.Context, id string, edit Edit, revision int64) (before, after fleet.Webhook, err error) {
	before, err = s.store.Webhook(ctx, id)
	if err != nil {
		return before, after, err
	}
	if revision != 0 && revision != before.Revision {
		return before, after, fleet.Errorf(fleet.Conflict, "webhook %s was changed meanwhile", before.Name).WithHint("read it again and repeat the change")
	}
	w := before
	set(&w.Name, edit.Name)
	set(&w.URL, edit.URL)
	set(&w.Events, edit.Events)
	set(&w.Tenants, edit.Tenants)
	set(&w.AllowPrivate, edit.AllowPrivate)
	set(&w.Disabled, edit.Disabled)
	if edit.NewSecret {
		w.Secret = newSecret()
	}
	if err := check(&w); err != nil {
		return before, after, err
	}
	w.UpdatedAt = s.opt.Now()
	after, err = s.store.UpdateWebhook(ctx, w)
	s.ring()
	if !edit.NewSecret {
		after.Secret = ""
	}
	return before, after, err
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// Delete removes a webhook and what is on its way to it; fleet.NotFound.
func (s *Service) Delete(ctx context.Context, id string) error { return s.store.DeleteWebhook(ctx, id) }

var typeRule = regexp.MustCompile(`^[a-z]+(\.[a-z]+)*\.?$`)

func check(w *fleet.Webhook) error {
	w.Name = strings.TrimSpace(w.Name)
	if w.Name == "" {
		return fleet.Errorf(fleet.Invalid, "the webhook has no name").WithField("name").WithHint("say what it is for, such as crm")
	}
	for _, e := range w.Events {
		if !typeRule.MatchString(e) {
			return fleet.Errorf(fleet.Invalid, "%q is not a type of event", e).WithField("events").
				WithHint("write a type such as tenant.changed, or tenant. for all of them")
		}
	}
	if len(w.Tenants) == 0 {
		w.Tenants = nil
	}
	return checkURL(w)
}

func checkURL(w *fleet.Webhook) error {
	bad := func(why string) error {
		return fleet.Errorf(fleet.Invalid, "%s", why).WithField("url").WithHint("write an address such as https://crm.example.org/hooks/lxdfleet")
	}
	u, err := url.Parse(w.URL)
	switch {
	case err != nil:
		return bad("the address cannot be read")
	case len(w.URL) > 2000:
		return bad("the address has more than 2000 bytes")
	case u.Scheme != "https" && (u.Scheme != "http" || !w.AllowPrivate):
		return bad("the address does not begin with https://")
	case u.Hostname() == "" || u.Opaque != "":
		return bad("the address names no host")
	case u.User != nil:
		return bad("the address holds a name or password; what is sent is signed instead")
	case u.Fragment != "":
		return bad("the address has a part after #, which is never sent")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !w.AllowPrivate && !public(ip) {
		return notPublic(u.Hostname())
	}
	return nil
}

// Deliveries lists deliveries, the newest first.
func (s *Service) Deliveries(ctx context.Context, f fleet.DeliveryFilter) ([]fleet.Delivery, error) {
	return s.store.Deliveries(ctx, f)
}

// Replay sends a finished delivery again; fleet.NotFound, and fleet.Conflict where it is on its way.
func (s *Service) Replay(ctx context.Context, id string) (fleet.Delivery, error) {
	d, err := s.store.ReplayDelivery(ctx, id, s.opt.Now())
	s.ring()
	return d, err
}

func (s *Service) ring() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}
