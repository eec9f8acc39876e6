package app

import (
	"context"
	"log/slog"

	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/proxy/accesslog"
)

// openAccessLog begins a proxy's access log, or gives nil where it is off. release ends it.
func openAccessLog(p config.Proxy, log *slog.Logger) (_ *accesslog.Log, release func()) {
	if p.AccessLog == "off" {
		return nil, func() {}
	}
	access := accesslog.Open(accesslog.Config{Path: p.AccessLog, Sample: p.AccessSample, Log: log})
	return access, func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		if err := access.Close(ctx); err != nil {
			log.Warn("the access log is not whole", "error", err)
		}
	}
}
