package clusters

import (
	"context"
	"fmt"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	// rotateAfter is the age at which a certificate of ours is exchanged.
	rotateAfter = 90 * 24 * time.Hour
	rotateEvery = time.Hour // looks whether one is so old
)

// Rotate exchanges our certificate for a new one. It can be repeated after it was cut off anywhere:
// the new one is kept before the cluster is told of it, and the old one goes last.
func (s *Service[C]) Rotate(ctx context.Context, name fleet.Name) (View, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	c, err := s.cluster(ctx, name)
	if err != nil {
		return View{}, err
	}
	old, err := s.keys.load(name, false)
	if err != nil {
		return View{}, err
	}
	next, err := s.next(name)
	if err != nil {
		return View{}, err
	}
	lxd, err := s.Client(ctx, name)
	if err != nil {
		return View{}, err
	}
	if err := lxd.EnsureTrusted(ctx, trustedAs, next.Cert); err != nil {
		return View{}, fmt.Errorf("exchange our certificate at the cluster %s: %w", name, err)
	}
	c.KeyAt = s.Now()
	if err := s.Store.UpdateCluster(ctx, c); err != nil {
		return View{}, fmt.Errorf("write down the cluster %s: %w", name, err)
	}
	if err := s.keys.promote(name); err != nil {
		return View{}, err
	}
	s.forget(name)
	if lxd, err = s.Client(ctx, name); err == nil {
		err = lxd.EnsureDistrusted(ctx, old.Cert)
	}
	if err != nil {
		s.Logger.Warn("the certificate before stays trusted; remove it there: lxc config trust remove", "cluster", name,
			"fingerprint", s.Fingerprint(old.Cert), "error", err)
	}
	return s.ask(ctx, c), nil
}

// next gives the certificate that is to come: the one that an exchange before was cut off with, or a
// new one.
func (s *Service[C]) next(name fleet.Name) (Pair, error) {
	pair, err := s.keys.load(name, true)
	if fleet.CodeOf(err) != fleet.NotFound {
		return pair, err
	}
	if pair, err = newPair(name, s.Now()); err == nil {
		err = s.keys.save(name, true, pair)
	}
	return pair, err
}

// Run exchanges certificates in time, until ctx ends.
func (s *Service[C]) Run(ctx context.Context) {
	ticker := time.NewTicker(rotateEvery)
	defer ticker.Stop()
	for {
		s.rotateOld(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *Service[C]) rotateOld(ctx context.Context) {
	list, err := s.Store.Clusters(ctx)
	if err != nil {
		s.Logger.Debug("clusters cannot be listed", "error", err)
	}
	for _, c := range list {
		if s.Now().Sub(c.KeyAt) < rotateAfter {
			continue
		}
		if _, err := s.Rotate(ctx, c.Name); err != nil && ctx.Err() == nil {
			s.Logger.Warn("our certificate at a cluster cannot be exchanged; it is tried again", "cluster", c.Name, "error", err)
		}
	}
}
