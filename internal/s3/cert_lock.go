package s3

import (
	"context"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func lockKey(name string) string { return certmagic.StorageKeys.Safe(name) + ".lock" }

// Lock takes the named lock, waiting for it as long as ctx allows. One whose holder has not
// shown that it lives for 30 s is taken over.
func (c *CertStorage) Lock(ctx context.Context, name string) error {
	l, err := c.locks.Lock(ctx, lockKey(name), c.lease)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[name] = l
	return nil
}

// Unlock gives the named lock back, also when ctx has ended.
func (c *CertStorage) Unlock(ctx context.Context, name string) error {
	c.mu.Lock()
	l := c.held[name]
	delete(c.held, name)
	c.mu.Unlock()
	if l == nil {
		return fleet.Errorf(fleet.Conflict, "lock %s is not held", name).WithHint("this is a defect of lxdfleet; please report it")
	}
	return l.Unlock(ctx)
}
