package webhooks

import (
	"context"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	// lookEvery is how often deliveries are looked for that no bell told of: those whose pause
	// is over, and those of another daemon.
	lookEvery = time.Second
	tidyEvery = time.Hour
)

// Run sends what is due until ctx ends, and returns when all attempts have.
func (s *Service) Run(ctx context.Context) {
	var attempts sync.WaitGroup
	defer attempts.Wait()
	free := make(chan struct{}, s.opt.AtOnce)
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var tidied time.Time
	for {
		if s.opt.Now().Sub(tidied) >= tidyEvery {
			tidied = s.opt.Now()
			s.fails("old deliveries cannot be dropped", s.store.DropDeliveries(ctx, tidied.Add(-s.opt.KeepFor)))
		}
		if room := cap(free) - len(free); room > 0 && s.any(ctx) {
			for _, d := range s.claim(ctx, room) {
				free <- struct{}{}
				attempts.Go(func() {
					s.attempt(ctx, d)
					<-free
					s.ring() // the next one of its subject is due
				})
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-s.bell:
		case <-ticker.C:
		}
	}
}

// any reports whether there is a webhook at all: where there is none, nothing is looked for.
func (s *Service) any(ctx context.Context) bool {
	hooks, err := s.store.Webhooks(ctx)
	s.fails("webhooks cannot be read", err)
	return len(hooks) > 0
}

func (s *Service) claim(ctx context.Context, most int) []fleet.Delivery {
	now := s.opt.Now()
	// A claim outlives the attempt, so that two daemons do not send one at the same time.
	list, err := s.store.ClaimDeliveries(ctx, now, now.Add(4*s.opt.Timeout), most)
	s.fails("deliveries cannot be read", err)
	return list
}

func (s *Service) attempt(ctx context.Context, d fleet.Delivery) {
	w, err := s.store.Webhook(ctx, d.WebhookID)
	if fleet.CodeOf(err) == fleet.NotFound {
		return // gone, and its deliveries with it
	}
	if err != nil {
		s.fails("a webhook cannot be read", err)
		return // the claim ends by itself
	}
	o := outcome{err: "the webhook is disabled", final: true}
	if !w.Disabled {
		o = s.send(ctx, w, d)
	}
	if ctx.Err() != nil && !o.good() {
		return // cut off by the end of the daemon: it was no attempt
	}
	done := after(d, o, s.opt.Now(), s.opt.GiveUp)
	if done.State == fleet.DeliveryDead {
		s.opt.Logger.Warn("a webhook could not be told", "webhook", w.Name, "delivery", d.ID, "error", done.Error)
	}
	s.fails("an attempt cannot be written down", s.store.SaveAttempt(context.WithoutCancel(ctx), done))
}

func (s *Service) fails(what string, err error) {
	if err != nil && fleet.CodeOf(err) != fleet.Unavailable {
		s.opt.Logger.Warn(what, "error", err)
	}
}
