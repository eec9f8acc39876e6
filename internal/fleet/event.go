package fleet

import (
	"strings"
	"time"
)

// LXDEvent is a lifecycle event of LXD, or the news that events may have been lost.
type LXDEvent struct {
	// Action is LXD's word: instance-created, instance-started, instance-stopped,
	// instance-shutdown, instance-restarted, instance-deleted, instance-renamed,
	// instance-updated, instance-restored, image-deleted, …; EventsResumed after a
	// (re)connect, when whatever happened before must be read anew.
	Action  string
	Name    string // instance name where the event is about one
	OldName string // with instance-renamed
	Member  string
	At      time.Time
}

// EventsResumed is the action sent after every connect to the event stream.
const EventsResumed = "events-resumed"

// Event is news for watchers of the fleet: API clients, the dashboard.
type Event struct {
	ID      string    `json:"id"`
	Type    string    `json:"type"`    // tenant.changed, tenant.removed, job.changed, job.event, image.changed, route.changed
	Subject string    `json:"subject"` // tenant/acme, job/01…, image/wordpress
	Data    any       `json:"data,omitempty"`
	At      time.Time `json:"at"`
	// Tenant is the one it is about where Subject does not say so; empty: none. Use About.
	Tenant Name `json:"-"`
}

// About is the tenant the event is about; empty: none.
func (e Event) About() Name {
	if name, ok := strings.CutPrefix(e.Subject, "tenant/"); ok {
		return Name(name)
	}
	return e.Tenant
}
