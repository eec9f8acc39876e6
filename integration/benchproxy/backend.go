package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// bodySize is the size of each answer's body in bytes.
const bodySize = 1024

// body is what every answer carries, so that one that was mixed up with another is noticed.
var body = bytes.Repeat([]byte("0123456789abcdef"), bodySize/16)

// answer is the whole of it, with the header an ordinary application gives.
var answer = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n"+
	"Content-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\nCache-Control: no-store\r\n"+
	"X-Frame-Options: SAMEORIGIN\r\n\r\n%s", bodySize, body)

// backend answers every request with the same bytes, on any number of ports: one thread around
// epoll, because it shares its core with the load generator and neither may be the bottleneck.
type backend struct {
	epoll     int
	listeners map[int]bool
	buf       [8 << 10]byte
	open      map[int][]byte // by connection: the beginning of a request that is not whole yet
}

// serveBackend listens on the addresses and answers until it fails.
func serveBackend(addresses []netip.AddrPort) error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("make an epoll: %w", err)
	}
	b := &backend{epoll: epoll, listeners: make(map[int]bool), open: make(map[int][]byte)}
	for _, a := range addresses {
		if err := b.listen(a); err != nil {
			return fmt.Errorf("listen on %s: %w", a, err)
		}
	}
	events := make([]unix.EpollEvent, 64)
	for {
		n, err := unix.EpollWait(epoll, events, -1)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("wait for events: %w", err)
		}
		for _, e := range events[:max(n, 0)] {
			if fd := int(e.Fd); b.listeners[fd] {
				b.accept(fd)
			} else {
				b.read(fd)
			}
		}
	}
}

func (b *backend) listen(a netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}); err != nil {
		return err
	}
	if err := unix.Listen(fd, 1024); err != nil {
		return err
	}
	b.listeners[fd] = true
	return b.watch(fd)
}

func (b *backend) watch(fd int) error {
	return unix.EpollCtl(b.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// accept takes one connection; if there are more the listener is ready again.
func (b *backend) accept(listener int) {
	fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err != nil {
		return // it is gone again
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // only costs time
	if b.watch(fd) != nil {
		unix.Close(fd)
	}
}

// read takes what has come and answers it if that makes a request. Requests have no body, and
// proxies send one at a time.
func (b *backend) read(fd int) {
	n, err := unix.Read(fd, b.buf[:])
	if errors.Is(err, syscall.EAGAIN) {
		return
	}
	have := b.buf[:max(n, 0)]
	if before := b.open[fd]; len(before) > 0 {
		have = append(before, have...)
	}
	switch {
	case err != nil || n <= 0 || len(have) > len(b.buf):
		delete(b.open, fd)
		unix.Close(fd)
	case !bytes.HasSuffix(have, []byte("\r\n\r\n")):
		b.open[fd] = bytes.Clone(have)
	default:
		if len(b.open) > 0 {
			delete(b.open, fd)
		}
		if n, err := unix.Write(fd, answer); err != nil || n != len(answer) {
			unix.Close(fd)
		}
	}
}

// backendAddresses are n addresses on loopback.
func backendAddresses(n int) []netip.AddrPort {
	all := make([]netip.AddrPort, n)
	for i := range all {
		all[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(9000+i))
	}
	return all
}
