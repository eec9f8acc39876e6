package app

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/handover"
	"github.com/lxdfleet/lxdfleet/internal/proxy"
)

// Serve returns the function that runs a daemon of this version until its context ends, or
// until SIGHUP has it replaced by the program that is now in its place. It logs to standard
// error.
func Serve(version string) func(ctx context.Context, settings config.Settings) error {
	return func(ctx context.Context, settings config.Settings) error {
		return replaceable(settings.Config, func(sockets *handover.Sockets, renew <-chan os.Signal) error {
			a, err := New(ctx, settings, Options{
				Version: version, Log: NewLogger(os.Stderr, settings.Log), Sockets: sockets, Renew: renew,
			})
			if err != nil {
				return err
			}
			return a.Run(ctx)
		})
	}
}

// replaceable runs what SIGHUP replaces by the program that is now in its place.
func replaceable(cfg config.Config, run func(*handover.Sockets, <-chan os.Signal) error) error {
	if err := os.MkdirAll(cfg.DataDir, 0o750); err != nil {
		return dataDirError("make the data folder", err)
	}
	sockets, err := handover.Open(filepath.Join(cfg.DataDir, "lxdfleet.pid"))
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(proxy.GCPercent)
	}
	renew := make(chan os.Signal, 1)
	signal.Notify(renew, syscall.SIGHUP)
	defer signal.Stop(renew)
	return run(sockets, renew)
}
