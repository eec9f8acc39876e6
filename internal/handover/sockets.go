package handover

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/cloudflare/tableflip"
)

// Sockets are those that this process has inherited or opened. There can be one per process.
type Sockets struct{ upgrader *tableflip.Upgrader }

// Open takes what this process has inherited. pidFile is written by Ready; empty: there is none.
func Open(pidFile string) (*Sockets, error) {
	u, err := tableflip.New(tableflip.Options{PIDFile: pidFile})
	if err != nil {
		return nil, fmt.Errorf("take over the sockets of the process before: %w", err)
	}
	return &Sockets{u}, nil
}

// Heir reports whether another process has started this one as its successor.
func (s *Sockets) Heir() bool { return s.upgrader.HasParent() }

// Listen gives the inherited listener of that address, or opens one.
func (s *Sockets) Listen(network, address string) (net.Listener, error) {
	return s.ListenBy(network, address, func() (net.Listener, error) { return net.Listen(network, address) })
}

// ListenBy is Listen with another way to open. The listener's close leaves a unix socket's file.
func (s *Sockets) ListenBy(network, address string, open func() (net.Listener, error)) (net.Listener, error) {
	ln, err := s.upgrader.Listener(network, address)
	if ln != nil || err != nil {
		return ln, err
	}
	if ln, err = open(); err != nil {
		return nil, err
	}
	own, ok := ln.(tableflip.Listener)
	if !ok {
		err = fmt.Errorf("a %T cannot be handed over", ln)
	} else {
		err = s.upgrader.AddListener(network, address, own)
	}
	if err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

// ListenPacket gives the inherited socket for packets of that address, or opens one.
func (s *Sockets) ListenPacket(network, address string) (net.PacketConn, error) {
	conn, err := s.upgrader.PacketConn(network, address)
	if conn != nil || err != nil {
		return conn, err
	}
	if conn, err = net.ListenPacket(network, address); err != nil {
		return nil, err
	}
	own, ok := conn.(tableflip.PacketConn)
	if !ok {
		err = fmt.Errorf("a %T cannot be handed over", conn)
	} else {
		err = s.upgrader.AddPacketConn(network, address, own)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// Ready says that this process serves, which ends the hand-over for the one before. What was
// inherited and not asked for is closed.
func (s *Sockets) Ready() error { return s.upgrader.Ready() }

// Alone waits until the process before has ended: until then there can be no successor.
func (s *Sockets) Alone(ctx context.Context) error { return s.upgrader.WaitForParent(ctx) }

// notAlone is what tableflip says for a moment after WaitForParent has returned, because the
// goroutine that starts successors hears of it by itself.
const notAlone = "parent hasn't exited"

// HandOver waits until this process is alone, starts the successor and waits until it is ready.
// After an error there is none, and it can be tried again, unless ctx has ended. After success
// there cannot be another.
func (s *Sockets) HandOver(ctx context.Context) error {
	if err := s.Alone(ctx); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, s.upgrader.Stop)
	defer stop()
	for {
		err := s.upgrader.Upgrade()
		if err == nil || err.Error() != notAlone {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}
