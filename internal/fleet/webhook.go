package fleet

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Webhook is an address that is told what happens in the fleet.
type Webhook struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url"`
	// Events are the types it wants; one that ends in a dot is a prefix; none: all.
	Events []string `json:"events,omitempty"`
	// Tenants are the only ones it is told of; nil: all, and what is of no tenant.
	Tenants []Name `json:"tenants,omitempty"`
	// Secret signs what is sent. It is shown when it is made, and never after.
	Secret string `json:"-"`
	// AllowPrivate lets it lead to addresses that are not public, and to http.
	AllowPrivate bool      `json:"allow_private"`
	Disabled     bool      `json:"disabled"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
	Revision     int64     `json:"revision"`
}

// Wants reports whether the webhook is to be told of the event.
func (w Webhook) Wants(e Event) bool {
	if w.Disabled || !wantsType(w.Events, e.Type) {
		return false
	}
	if w.Tenants == nil {
		return true
	}
	return slices.Contains(w.Tenants, e.About())
}

func wantsType(wanted []string, got string) bool {
	for _, w := range wanted {
		if w == got || strings.HasSuffix(w, ".") && strings.HasPrefix(got, w) {
			return true
		}
	}
	return len(wanted) == 0
}

// DeliveryState is where a delivery is in its life.
type DeliveryState string

const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered"
	// DeliveryDead: it was tried for a day, or refused for good. It can be replayed.
	DeliveryDead DeliveryState = "dead"
)

// Delivery is one event on its way to one webhook.
type Delivery struct {
	ID        string `json:"id"`
	WebhookID string `json:"webhook_id"`
	Type      string `json:"type"` // of the event
	// Subject is the tenant the event is about, as tenant/acme, or else the event's subject; those
	// of one subject are delivered in order.
	Subject  string          `json:"subject"`
	Body     json.RawMessage `json:"body"` // what is sent
	State    DeliveryState   `json:"state"`
	Attempts int             `json:"attempts"`
	// Status is the HTTP status of the last answer; 0: there was none.
	Status    int           `json:"status"`
	Error     string        `json:"error,omitempty"`
	Took      time.Duration `json:"took_ns"` // the last attempt
	CreatedAt time.Time     `json:"created_at"`
	NextAt    time.Time     `json:"next_at,omitzero"` // of the next attempt, while pending
	DoneAt    time.Time     `json:"done_at,omitzero"`
	// Since is when the attempts began: at the event, or at the last replay.
	Since time.Time `json:"since"`
}

// DeliveryFilter narrows a list of deliveries; zero fields do not. Lists are sorted by ID, the
// newest first.
type DeliveryFilter struct {
	WebhookID string
	State     DeliveryState
	Before    string // only with a smaller ID (paging)
	Limit     int    // 0: all
}
