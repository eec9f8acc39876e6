package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// bindAgain is how long a metrics port that is taken is left alone. A daemon that is replaced
// still has it while its successor begins.
const bindAgain = 5 * time.Second

// newMetrics gives GET /metrics of the process and of these collectors.
func newMetrics(version string, log *slog.Logger, more ...prometheus.Collector) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "lxdfleet_info", Help: "1, with the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	more = append(more, info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, c := range more {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), MaxRequestsInFlight: 4,
	}), nil
}

// metricsServer serves metrics at address until its context ends. A port that cannot be had is
// no reason not to serve the tenants: it is tried until it can.
type metricsServer struct {
	address string
	handler http.Handler
	log     *slog.Logger
	again   time.Duration
	bound   func(net.Addr) // called when it listens; nil: nobody wants to know
}

// Run serves until ctx ends.
func (m *metricsServer) Run(ctx context.Context) {
	ln := m.listen(ctx)
	if ln == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.handler)
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if m.bound != nil {
		m.bound(ln.Addr())
	}
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		m.log.Error("metrics are not served any longer", "error", err)
	}
}

// listen binds the address, and gives nil only when ctx ends first.
func (m *metricsServer) listen(ctx context.Context) net.Listener {
	for told := false; ; {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", m.address)
		if err == nil {
			m.log.Info("metrics are served", "url", "http://"+ln.Addr().String()+"/metrics")
			return ln
		}
		if ctx.Err() == nil && !told {
			m.log.Warn("metrics cannot be served; it is tried again. Free the address, or set metrics.listen to another one or to off",
				"address", m.address, "error", err)
			told = true
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(m.again):
		}
	}
}
