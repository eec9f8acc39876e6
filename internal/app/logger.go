package app

import (
	"io"
	"log/slog"

	"github.com/lxdfleet/lxdfleet/internal/config"
)

// NewLogger makes the daemon's log. The configuration has been validated: an unknown level or
// format cannot come here.
func NewLogger(out io.Writer, cfg config.Log) *slog.Logger {
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
