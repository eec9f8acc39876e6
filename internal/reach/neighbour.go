package reach

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Neighbours tells what this machine knows of addresses.
type Neighbours interface {
	// Look tells of each address whether it is this machine's own, or on a network that it is
	// connected to, and which hardware address it leads to there. It asks for those that are not
	// known, and waits a moment for their answers. What cannot be told is left out.
	Look(ctx context.Context, addresses []netip.Addr) map[netip.Addr]Neighbour
}

// Neighbour is what is known of an address.
type Neighbour struct {
	Own    bool // this machine's, or none of a single machine
	OnLink bool // on a network that this machine is connected to, without a router in between
	// HardwareAddress is where it leads to, in lower case; empty where nothing answers for it, or
	// it is not OnLink.
	HardwareAddress string
}

// answerTime is how long Kernel waits for neighbours that did not answer before.
const answerTime = 100 * time.Millisecond

// Kernel asks the kernel's tables of routes and neighbours.
type Kernel struct{}

// Look is that of Neighbours.
func (Kernel) Look(ctx context.Context, addresses []netip.Addr) map[netip.Addr]Neighbour {
	found := make(map[netip.Addr]Neighbour, len(addresses))
	silent := map[netip.Addr]int{} // with their interface
	for _, a := range addresses {
		way, err := routeTo(a)
		if err != nil {
			continue // it leads nowhere
		}
		n := Neighbour{Own: way.own, OnLink: way.onLink}
		if n.OnLink {
			if n.HardwareAddress = hardwareAddress(a, way.link); n.HardwareAddress == "" {
				silent[a] = way.link
				wake(ctx, a)
			}
		}
		found[a] = n
	}
	deadline := time.Now().Add(answerTime)
	for wait := time.Millisecond; len(silent) > 0 && time.Now().Before(deadline); wait = min(2*wait, 10*time.Millisecond) {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return found
		case <-timer.C:
		}
		for a, link := range silent {
			if mac := hardwareAddress(a, link); mac != "" {
				found[a] = Neighbour{OnLink: true, HardwareAddress: mac}
				delete(silent, a)
			}
		}
	}
	return found
}

// wake has the kernel ask who has the address: by a byte to the port that discards all.
func wake(ctx context.Context, a netip.Addr) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", netip.AddrPortFrom(a, 9).String())
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte{0}) // an error is no answer
	_ = conn.Close()
}

// hasAddresses reports whether a link is one whose addresses lead to hardware addresses.
func hasAddresses(link int) bool {
	i, err := net.InterfaceByIndex(link)
	return err == nil && len(i.HardwareAddr) > 0 && i.Flags&net.FlagPointToPoint == 0
}

// anyOf reports whether one of the hardware addresses is mac.
func anyOf(hardwareAddresses []string, mac string) bool {
	return slices.ContainsFunc(hardwareAddresses, func(h string) bool { return strings.EqualFold(h, mac) })
}
