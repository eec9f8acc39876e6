package reach_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
	"github.com/lxdfleet/lxdfleet/internal/reach"
)

// deaf is an LXD of which one member does not answer.
type deaf struct {
	*lxdfake.LXD
	member string
}

func (l deaf) Subnets(ctx context.Context, network, member string) ([]netip.Prefix, error) {
	if member == l.member {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return l.LXD.Subnets(ctx, network, member)
}

// A member that does not answer keeps none of the others' instances waiting.
func TestMemberThatTellsNoSubnets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, lxdfake.Options{Networks: []fleet.Network{{
			Name: "lxdbr0", Type: "bridge", Config: map[string]string{"ipv4.address": "10.0.0.254/16"},
		}}})
		r := reach.New(deaf{w.lxd, "n1"}, reach.Options{Way: reach.Direct, Project: "lxdfleet"})
		w.make("acme", "n1")
		w.make("globex", "n2")
		w.do(w.lxd.LxcStart("acme"))
		w.do(w.lxd.LxcStart("globex"))
		ctx, give := context.WithCancel(t.Context())
		asked := make(chan error, 1)
		go func() {
			_, err := r.Backends(ctx, "acme", 80)
			asked <- err
		}()
		synctest.Wait()
		if len(asked) != 0 {
			t.Fatal("n1 has answered: nothing is tried")
		}
		if b := w.backend(r, "globex"); !b.Known() {
			t.Error("globex is not reached")
		}
		give()
		<-asked
	})
}
