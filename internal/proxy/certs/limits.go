package certs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// purpose says what an order is for; it decides what it leaves to others.
type purpose int

const (
	visited purpose = iota // somebody waits for it
	unasked                // nobody does
)

// bucket bounds how often something is done. It holds at most what one period gives, and is
// full at first.
type bucket struct {
	Used float64   `json:"used"` // how far below full it was
	At   time.Time `json:"at"`
}

// take takes one, where that leaves at least reserve. Otherwise it says how long it will be
// until it can.
func (b *bucket) take(now time.Time, size int, period time.Duration, reserve int) (wait time.Duration) {
	used := b.level(now, size, period)
	if over := used + 1 - float64(size-reserve); over > 1e-9 {
		return time.Duration(over / float64(size) * float64(period)).Round(time.Millisecond)
	}
	b.Used, b.At = used+1, now
	return 0
}

// level is how far below full it is now.
func (b *bucket) level(now time.Time, size int, period time.Duration) float64 {
	gained := max(0, now.Sub(b.At)).Seconds() / period.Seconds() * float64(size)
	return max(0, b.Used-gained)
}

// buckets are the limits of all proxies of one storage.
type buckets struct {
	All     bucket                `json:"all"`
	Tenants map[fleet.Name]bucket `json:"tenants"`
}

const (
	limitsKey  = "orders/limits.json"
	limitsLock = "order_limits"
)

// take counts an order, in the storage. Where a limit is reached it gives a waitingError, and
// whose limit it is: a tenant's, or all tenants' (empty). Being able to write also shows that a
// certificate could be kept.
func (k *Keeper) take(ctx context.Context, p plan, why purpose, renewal bool) (whose fleet.Name, err error) {
	k.limits.Lock()
	defer k.limits.Unlock()
	unlock, err := k.lock(ctx, limitsLock)
	if err != nil {
		return "", err
	}
	defer unlock()
	var b buckets
	data, err := k.cfg.Storage.Load(ctx, limitsKey)
	if err == nil {
		err = json.Unmarshal(data, &b)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("load the limits of orders: %w", err)
	}
	now := k.cfg.Now()
	if whose, wait := b.take(now, k.cfg.ACME, p.tenant, why, renewal); wait > 0 {
		reason := fmt.Sprintf("the limit of %d orders an hour is reached", k.cfg.ACME.PerHour)
		if whose != "" {
			reason = fmt.Sprintf("the limit of %d orders an hour for tenant %s is reached", k.cfg.ACME.TenantPerHour, whose)
		}
		return whose, &waitingError{until: now.Add(wait), reason: reason, limited: true}
	}
	if data, err = json.Marshal(b); err == nil {
		err = k.cfg.Storage.Store(ctx, limitsKey, data)
	}
	if err != nil {
		return "", fmt.Errorf("store the limits of orders: %w", err)
	}
	return "", nil
}

// take takes one order for tenant from both limits, or from none. Renewals may use all that
// there is; others leave some for those who matter more.
func (b *buckets) take(now time.Time, a *ACME, tenant fleet.Name, why purpose, renewal bool) (fleet.Name, time.Duration) {
	reserve := 0
	switch {
	case renewal:
		tenant = ""
	case why == visited:
		reserve = a.PerHour / 5
	default:
		reserve = a.PerHour / 2
	}
	all, own := b.All, b.Tenants[tenant]
	if wait := all.take(now, a.PerHour, time.Hour, reserve); wait > 0 {
		return "", wait
	}
	if tenant != "" {
		if wait := own.take(now, a.TenantPerHour, time.Hour, 0); wait > 0 {
			return tenant, wait
		}
	}
	b.All = all
	for name, t := range b.Tenants {
		if t.level(now, a.TenantPerHour, time.Hour) == 0 {
			delete(b.Tenants, name) // full again, as one that is not there
		}
	}
	if tenant != "" {
		if b.Tenants == nil {
			b.Tenants = make(map[fleet.Name]bucket)
		}
		b.Tenants[tenant] = own
	}
	return "", 0
}
