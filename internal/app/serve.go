package app

import (
	"context"
	"os"

	"github.com/lxdfleet/lxdfleet/internal/config"
)

// Serve returns the function that runs a daemon of this version until its context ends. It
// logs to standard error.
func Serve(version string) func(ctx context.Context, cfg config.Config) error {
	return func(ctx context.Context, cfg config.Config) error {
		a, err := New(ctx, cfg, version, NewLogger(os.Stderr, cfg.Log))
		if err != nil {
			return err
		}
		return a.Run(ctx)
	}
}
