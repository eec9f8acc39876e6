package app

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/lxdfleet/lxdfleet/internal/proxy/accesslog"
)

// openAccessLog begins the proxy's access log, or gives nil where it is off.
func (a *App) openAccessLog() *accesslog.Log {
	p := a.cfg.Proxy
	if p.AccessLog == "off" {
		return nil
	}
	log := accesslog.Open(accesslog.Config{Path: p.AccessLog, Sample: p.AccessSample, Log: a.log})
	a.onRelease(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		if err := log.Close(ctx); err != nil {
			a.log.Warn("the access log is not whole", "error", err)
		}
	})
	return log
}

// reopenOnHangup gives the loop that opens log anew at SIGHUP, which rotation sends. From the
// call on, not only while the loop runs, the signal does not end the daemon; without a log it
// does nothing.
func reopenOnHangup(log *accesslog.Log) func(context.Context) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	return func(ctx context.Context) {
		defer signal.Stop(hangups)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
				log.Reopen()
			}
		}
	}
}
