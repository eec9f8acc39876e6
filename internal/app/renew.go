package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	checkTime  = 30 * time.Second // for the successor to read its configuration
	renewPause = 5 * time.Second  // between attempts to start it
)

// mayRenew tells whether a successor could start, before anything is stopped for it.
func (a *App) mayRenew(ctx context.Context) error {
	a.log.Info("to be replaced by the program that is now in this one's place")
	if err := a.Sockets.Alone(ctx); err != nil { // the one before may still be finishing requests
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, os.Args[0], append(os.Args[1:], "--check")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("the program there does not start: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// renew gives everything over to a successor: first what drives the fleet, which only one
// process may, then, once the successor serves, the visitors. While it does not start they are
// served on by the last routes, and it is tried again until ctx ends.
func (a *App) renew(ctx context.Context, stopControl func() error) error {
	if err := stopControl(); err != nil {
		a.log.Warn("stopped only in part; jobs go on when their leases lapse", "error", err)
	}
	a.lock.release()
	for {
		err := a.Sockets.HandOver(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return a.stopProxy()
		}
		a.log.Error("the successor did not start; visitors are served on, and it is tried again",
			"error", err, "in", renewPause)
		select {
		case <-time.After(renewPause):
		case <-ctx.Done():
		}
	}
	a.renewed = true
	if a.proxy == nil {
		return nil
	}
	a.log.Info("replaced; finishing what visitors have asked for", "at_most", a.cfg.Proxy.DrainTimeout)
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Proxy.DrainTimeout)
	defer cancel()
	err := a.proxy.HandOver(ctx, a.packets.release)
	if err != nil && errors.Is(err, context.DeadlineExceeded) {
		a.log.Warn("requests took longer than proxy.drain_timeout and were cut off", "error", err)
		return nil
	}
	return err
}
