package main

import (
	"context"
	"net/http"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/bench"
	"github.com/lxdfleet/lxdfleet/integration/rows"
)

// subject is one instance with WordPress, and a way to move it.
type subject interface {
	Label() string
	// Name of its instance in LXD.
	Name() string
	Create(ctx context.Context, member string) error
	Remove(ctx context.Context)
	// Page waits for a good page.
	Page(ctx context.Context) error
	// Site is where its pages are, and who fetches them.
	Site() (url string, client *http.Client)
	// move tells how long each of its steps took.
	move(ctx context.Context, to string) (map[string]time.Duration, error)
	Run(ctx context.Context, args ...string) (string, error)
	Seed(ctx context.Context, instance string) error
	CheckRows(ctx context.Context, instance string, load *rows.Load, cut rows.Cut) error
}

// bare is moved by the commands a person would type.
type bare struct{ bench.Bare }

func (b *bare) move(ctx context.Context, to string) (map[string]time.Duration, error) {
	return moveBare(ctx, b.LXC, b.Name(), to)
}

func moveBare(ctx context.Context, lxc bench.LXC, name, to string) (map[string]time.Duration, error) {
	took := map[string]time.Duration{}
	for _, command := range [][]string{{"stop", name}, {"move", name, "--target", to}, {"start", name}} {
		start := time.Now()
		if _, err := lxc.Run(ctx, command...); err != nil {
			return nil, err
		}
		took[command[0]] = time.Since(start)
	}
	return took, nil
}

// tenant is moved by lxdfleet.
type tenant struct{ bench.Tenant }

func (t *tenant) move(ctx context.Context, to string) (map[string]time.Duration, error) {
	id, err := t.Daemon.Run(ctx, http.MethodPost, t.Path()+"/move", map[string]any{"to": to})
	if err != nil {
		return nil, err
	}
	return t.Daemon.Spans(ctx, id)
}
