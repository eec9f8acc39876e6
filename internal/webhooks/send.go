package webhooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// outcome is what became of one attempt.
type outcome struct {
	status int // HTTP status; 0: there was no answer
	err    string
	took   time.Duration
	final  bool // no later attempt can go better
}

func (o outcome) good() bool { return o.status >= 200 && o.status < 300 }

type sender struct {
	public, private *http.Client
	now             func() time.Time
}

func newSender(timeout time.Duration, now func() time.Time) *sender {
	return &sender{newClient(false, timeout), newClient(true, timeout), now}
}

// send makes one attempt.
func (s *sender) send(ctx context.Context, w fleet.Webhook, d fleet.Delivery) (o outcome) {
	began := time.Now()
	defer func() { o.took = time.Since(began) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(d.Body))
	if err != nil {
		return outcome{err: err.Error(), final: true}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "lxdfleet")
	req.Header.Set(HeaderEvent, d.Type)
	req.Header.Set(HeaderDelivery, d.ID)
	req.Header.Set(HeaderSignature, Sign(w.Secret, s.now(), d.Body))
	client := s.public
	if w.AllowPrivate {
		client = s.private
	}
	answer, err := client.Do(req)
	if err != nil {
		// Also an address that is not public today: names may lead elsewhere tomorrow.
		if e, ok := errors.AsType[*fleet.Error](err); ok {
			return outcome{err: e.Error()}
		}
		return outcome{err: err.Error()}
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection can be used again
	o = outcome{status: answer.StatusCode}
	switch {
	case o.good():
	case answer.StatusCode == http.StatusGone:
		o.final, o.err = true, "410: the receiver wants no more of them"
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		o.err = fmt.Sprintf("%d: redirects are not followed; give the webhook the address it leads to", answer.StatusCode)
	default:
		o.err = "the receiver answered " + answer.Status
	}
	return o
}

// waits are the pauses after the first attempts that failed; then it is the last, until the
// delivery is given up.
func waits(attempt int) time.Duration {
	steps := []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour}
	return steps[min(max(attempt, 1), len(steps))-1]
}

// after gives the delivery as it is once an attempt was made.
func after(d fleet.Delivery, o outcome, now time.Time, giveUp time.Duration) fleet.Delivery {
	d.Attempts++
	d.Status, d.Error, d.Took = o.status, o.err, o.took
	switch {
	case o.good():
		d.State, d.DoneAt, d.NextAt, d.Error = fleet.DeliveryDelivered, now, time.Time{}, ""
	case o.final || now.Sub(d.Since) >= giveUp:
		d.State, d.DoneAt, d.NextAt = fleet.DeliveryDead, now, time.Time{}
	default:
		d.NextAt = now.Add(waits(d.Attempts))
		if last := d.Since.Add(giveUp); d.NextAt.After(last) {
			d.NextAt = last
		}
	}
	return d
}
