package proxy

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// initials drops the packets that begin QUIC connections, in the kernel. To answer them would
// either begin connections that are about to end, or tell clients to give up; one that is
// dropped is sent again (RFC 9002, section 6.2), and the next process answers it.
//
// A socket's filter sees a packet from its UDP header on, which has 8 bytes. The first byte of
// QUIC then has its highest bit set in long headers (RFC 9000, section 17.2); the bit 0x20 is
// clear in the Initial and 0-RTT packets of version 1 and in the Initial ones of version 2
// (RFC 9369, section 3.2), and set in the Handshake packets of both.
var initials = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 8},
	{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0x80 | 0x20},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0x80, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
}

// keepOut has the kernel drop what would begin a QUIC connection, for every process that has
// the socket, until letIn.
func keepOut(socket net.PacketConn) error {
	return onDescriptor(socket, func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(initials)), Filter: &initials[0]})
	})
}

// letIn takes back what keepOut did, in this process or another.
func letIn(socket net.PacketConn) error {
	return onDescriptor(socket, func(fd int) error {
		err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
		if errors.Is(err, unix.ENOENT) {
			return nil // there is none
		}
		return err
	})
}

func onDescriptor(socket net.PacketConn, do func(fd int) error) error {
	conn, ok := socket.(syscall.Conn)
	if !ok {
		return errors.ErrUnsupported
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var done error
	if err := raw.Control(func(fd uintptr) { done = do(int(fd)) }); err != nil {
		return err
	}
	return done
}
