package certs

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapToSlog gives certmagic, which logs by zap, a logger that writes warnings and errors to log,
// both as warnings: whether one is an error is decided where an order has failed. What is below
// that is every step of every certificate, and is left out.
func zapToSlog(log *slog.Logger) *zap.Logger { return zap.New(&slogCore{log: log}) }

// slogCore keeps fields as they are until something is written: most loggers that certmagic
// makes never write.
type slogCore struct {
	log    *slog.Logger
	fields []zapcore.Field
}

func (c *slogCore) Enabled(l zapcore.Level) bool { return l >= zapcore.WarnLevel }

func (c *slogCore) With(fields []zapcore.Field) zapcore.Core {
	all := make([]zapcore.Field, 0, len(c.fields)+len(fields))
	return &slogCore{log: c.log, fields: append(append(all, c.fields...), fields...)}
}

func (c *slogCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

func (c *slogCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range c.fields {
		f.AddTo(enc)
	}
	for _, f := range fields {
		f.AddTo(enc)
	}
	out := make([]any, 0, len(enc.Fields))
	for name, value := range enc.Fields {
		out = append(out, slog.Any(name, value))
	}
	c.log.Log(context.Background(), slog.LevelWarn, "certificates: "+e.Message, out...)
	return nil
}

func (c *slogCore) Sync() error { return nil }
