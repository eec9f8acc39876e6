package certs

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/caddyserver/certmagic"
)

const (
	ticketsKey  = "tickets/keys.json"
	ticketsLock = "session_tickets"
	// ticketLife is how long a key makes tickets; it opens them for as long again.
	ticketLife = 12 * time.Hour
	// ticketLook is how often it is seen whether another proxy has made a new one.
	ticketLook = 10 * time.Minute
)

// tickets keeps the keys of TLS session tickets, so that a client that comes back need not
// shake hands in full, at any proxy of the storage and after a restart.
type tickets struct {
	storage certmagic.Storage
	now     func() time.Time
	use     func(keys [][32]byte)

	looked time.Time
	keys   []ticketKey
}

type ticketKey struct {
	Key [32]byte  `json:"key"`
	At  time.Time `json:"at"` // when it was made
}

func newTickets(storage certmagic.Storage, now func() time.Time, use func([][32]byte)) *tickets {
	return &tickets{storage: storage, now: now, use: use}
}

// refresh takes the keys from storage where it is time, and makes a new one where it is time
// for that. Without storage the old ones go on; where there are none TLS has its own.
func (t *tickets) refresh(ctx context.Context, log *slog.Logger) {
	now := t.now()
	if !t.looked.IsZero() && now.Before(t.looked.Add(ticketLook)) {
		return
	}
	t.looked = now
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	keys, err := t.current(ctx)
	if err != nil {
		if ctx.Err() == nil {
			log.Warn("keys of TLS session tickets cannot be shared with other proxies", "error", err)
		}
		return
	}
	t.keys = keys
	raw := make([][32]byte, len(keys))
	for i, k := range keys {
		raw[i] = k.Key
	}
	t.use(raw)
}

// current reads the keys, newest first, and adds one where the newest is too old.
func (t *tickets) current(ctx context.Context) ([]ticketKey, error) {
	keys, err := t.load(ctx)
	if err != nil || t.fresh(keys) {
		return keys, err
	}
	if err := t.storage.Lock(ctx, ticketsLock); err != nil {
		return nil, fmt.Errorf("lock them: %w", err)
	}
	defer func() { _ = t.storage.Unlock(context.WithoutCancel(ctx), ticketsLock) }() // it ends by itself
	if keys, err = t.load(ctx); err != nil || t.fresh(keys) {
		return keys, err
	}
	next := ticketKey{At: t.now()}
	_, _ = rand.Read(next.Key[:]) // never fails
	keys = slices.DeleteFunc(keys, func(k ticketKey) bool { return t.now().Sub(k.At) >= 2*ticketLife })
	keys = append([]ticketKey{next}, keys...)
	data, err := json.Marshal(keys)
	if err == nil {
		err = t.storage.Store(ctx, ticketsKey, data)
	}
	return keys, err
}

func (t *tickets) fresh(keys []ticketKey) bool {
	return len(keys) > 0 && t.now().Sub(keys[0].At) < ticketLife
}

func (t *tickets) load(ctx context.Context) ([]ticketKey, error) {
	data, err := t.storage.Load(ctx, ticketsKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var keys []ticketKey
	if err == nil && json.Unmarshal(data, &keys) != nil {
		keys = nil // cut off: made anew
	}
	return keys, err
}
