package cli

import (
	"context"
	"strings"
	"testing"
)

func TestTopGoesOnUntilInterrupted(t *testing.T) {
	for output, want := range map[string]string{
		"table": "652 requests/s  601 errors/s  5 hosts\n+", "json": `{"at":"2025-03-14T09:27:03Z","seconds":2,`, "yaml": "---\nat: 2025-03-14T09:27:03Z\n",
	} {
		t.Run(output, func(t *testing.T) {
			b := newBench(t)
			ctx, interrupt := context.WithCancel(t.Context())
			seen := make(chan struct{})
			out := &watchfulWriter{want: want, seen: seen}
			go func() { <-seen; interrupt() }()
			exit := Run(ctx, b.app, Streams{In: b.in, Out: out, Err: out}, []string{"--socket", b.socket, "top", "--interval", "1ms", "-o", output})
			if exit != exitOK || strings.Contains(out.all, "\x1b") {
				t.Errorf("exit %d: %q", exit, out.all)
			}
		})
	}
}

// watchfulWriter closes seen once want was written.
type watchfulWriter struct {
	want, all string
	seen      chan struct{}
}

func (w *watchfulWriter) Write(p []byte) (int, error) {
	found := strings.Contains(w.all, w.want)
	w.all += string(p)
	if !found && strings.Contains(w.all, w.want) {
		close(w.seen)
	}
	return len(p), nil
}
