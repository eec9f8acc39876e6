package app

import (
	"context"

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
