package certs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/caddyserver/certmagic"
)

const (
	firstBackoff = time.Minute
	lastBackoff  = 24 * time.Hour
	// limitedBackoff is the least to wait where an authority says that it was asked too often.
	limitedBackoff = time.Hour
)

// record is what all proxies know of the orders for a subject that failed since its last
// certificate. It is removed by one that succeeds.
type record struct {
	Subject   string    `json:"subject"`
	Failures  int       `json:"failures"`
	LastError string    `json:"last_error"`
	LastTry   time.Time `json:"last_try"`
	NextTry   time.Time `json:"next_try"`
}

func recordKey(subject string) string {
	return "orders/hosts/" + certmagic.StorageKeys.Safe(subject) + ".json"
}

// failed counts a failure at now.
func (r *record) failed(now time.Time, reason string, tooOften bool) {
	r.Failures++
	r.LastError, r.LastTry = reason, now
	wait := backoff(r.Failures)
	if tooOften {
		wait = max(wait, limitedBackoff)
	}
	r.NextTry = now.Add(wait)
}

// backoff is how long to wait after the nth failure in a row.
func backoff(n int) time.Duration {
	return min(firstBackoff<<min(n-1, 20), lastBackoff)
}

func (k *Keeper) loadRecord(ctx context.Context, subject string) (record, error) {
	r := record{Subject: subject}
	data, err := k.cfg.Storage.Load(ctx, recordKey(subject))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil && json.Unmarshal(data, &r) != nil {
		return record{Subject: subject}, nil // cut off by a full disk; the next failure writes it anew
	}
	if err != nil {
		return r, fmt.Errorf("load the record of orders for %s: %w", subject, err)
	}
	return r, nil
}

func (k *Keeper) storeRecord(ctx context.Context, r record) error {
	data, err := json.Marshal(r)
	if err == nil {
		err = k.cfg.Storage.Store(ctx, recordKey(r.Subject), data)
	}
	if err != nil {
		return fmt.Errorf("store the record of orders for %s: %w", r.Subject, err)
	}
	return nil
}

// waitingError says that nothing is tried now, why, and when it will be.
type waitingError struct {
	until   time.Time // zero: not before something else changes
	reason  string
	limited bool // by our own limits, not by a failure
}

func (e *waitingError) Error() string {
	if e.until.IsZero() {
		return e.reason
	}
	return fmt.Sprintf("%s; next try at %s", e.reason, e.until.UTC().Format(time.RFC3339))
}

// lock takes a lock in the storage; unlock gives it back also when ctx has ended meanwhile.
func (k *Keeper) lock(ctx context.Context, name string) (unlock func(), err error) {
	if err := k.cfg.Storage.Lock(ctx, name); err != nil {
		return nil, fmt.Errorf("lock %s in the certificate storage: %w", name, err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := k.cfg.Storage.Unlock(ctx, name); err != nil {
			k.log.Warn("a lock in the certificate storage cannot be given back; it ends by itself", "lock", name, "error", err)
		}
	}, nil
}
