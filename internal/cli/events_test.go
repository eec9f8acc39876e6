package cli

import (
	"context"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestEvents(t *testing.T) {
	for output, want := range map[string]string{
		"table": "tenant.changed   tenant/acme",
		"json":  `"subject":"tenant/acme"`,
		"yaml":  "subject: tenant/acme",
	} {
		t.Run(output, func(t *testing.T) {
			b := newBench(t)
			ctx, interrupt := context.WithCancel(t.Context())
			b.ctx = ctx
			seen := make(chan struct{})
			out := &watchfulWriter{want: want, seen: seen}
			go func() {
				for {
					select {
					case <-seen:
						interrupt()
						return
					case <-time.After(time.Millisecond): // until the listener is there; more at once than it reads would cut it off
						b.Feed.Publish(fleet.Event{Type: "tenant.changed", Subject: "tenant/acme"})
					}
				}
			}()
			exit := Run(b.ctx, b.app, Streams{In: b.in, Out: out, Err: out}, []string{"--socket", b.socket, "events", "-o", output, "--type", "tenant."})
			if exit != exitOK {
				t.Errorf("exit %d: %s", exit, out.all)
			}
		})
	}
}
