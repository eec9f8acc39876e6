// Command front runs the proxy alone, with a fixed list of routes and its default settings, to be
// measured by benchproxy. SIGUSR1 begins a CPU profile and SIGUSR2 writes it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "front:", err)
		os.Exit(1)
	}
}

func run() error {
	var (
		https   = flag.String("https", "127.0.0.1:8443", "address to listen on")
		routes  = flag.String("routes", "", "JSON file with the routes")
		storage = flag.String("storage", "", "folder for certificates")
		profile = flag.String("profile", "", "file for a CPU profile")
	)
	flag.Parse()
	debug.SetGCPercent(proxy.GCPercent) // as lxdfleet does
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	data, err := os.ReadFile(*routes)
	if err != nil {
		return err
	}
	var list []fleet.Route
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("read %s: %w", *routes, err)
	}
	server, err := proxy.New(ctx, proxy.Config{
		HTTPS: *https, HTTP: "off", Storage: &certmagic.FileStorage{Path: *storage},
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	server.Router().Publish(list)
	go profiling(ctx, *profile)
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = server.Shutdown(last) // connections still open are cut off
	return err
}

// profiling writes the CPU profile between the two signals, once.
func profiling(ctx context.Context, file string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	var out *os.File
	for {
		var s os.Signal
		select {
		case <-ctx.Done():
			return
		case s = <-signals:
		}
		var err error
		switch {
		case s == syscall.SIGUSR1 && out == nil:
			if out, err = os.Create(file); err == nil {
				err = pprof.StartCPUProfile(out)
			}
		case s == syscall.SIGUSR2 && out != nil:
			pprof.StopCPUProfile()
			err = out.Close()
			out = nil
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "front: profile:", err)
		}
	}
}
