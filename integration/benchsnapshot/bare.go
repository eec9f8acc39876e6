package main

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/bench"
)

// bare is an instance that is driven by the commands a person would type.
type bare struct{ bench.Bare }

func (b *bare) snapshot(ctx context.Context, name string) (time.Duration, error) {
	_, err := b.Run(ctx, "snapshot", b.Name(), name)
	return 0, err
}

func (b *bare) forget(ctx context.Context, name string) error {
	_, err := b.Run(ctx, "delete", b.Name()+"/"+name)
	return err
}

// restore stops the instance, restores it and starts it: lxc restore does all three.
func (b *bare) restore(ctx context.Context, name string) error {
	if _, err := b.Run(ctx, "restore", b.Name(), name); err != nil {
		return err
	}
	return b.Page(ctx)
}
