package reach

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// What the kernel's headers (linux/neighbour.h) say and the package syscall does not.
const (
	sizeofNdMsg = 12
	ndaDst      = 1
	ndaLladdr   = 2
	// nudKnown are the states of a neighbour that has answered, or was written down by hand:
	// reachable, stale, delay, probe, permanent.
	nudKnown = 0x02 | 0x04 | 0x08 | 0x10 | 0x80
)

// way is how packets to an address go.
type way struct {
	own    bool
	onLink bool
	link   int
}

// routeTo asks which way packets to the address go.
func routeTo(a netip.Addr) (way, error) {
	family, length := family(a)
	body := make([]byte, syscall.SizeofRtMsg)
	body[0], body[1] = family, length
	answer, err := ask(syscall.RTM_GETROUTE, append(body, attribute(syscall.RTA_DST, a.AsSlice())...))
	if err != nil {
		return way{}, fmt.Errorf("find the route to %s: %w", a, err)
	}
	if len(answer) < syscall.SizeofRtMsg {
		return way{}, errShort
	}
	w, routed := way{own: answer[7] != syscall.RTN_UNICAST}, false
	for kind, value := range attributes(answer[syscall.SizeofRtMsg:]) {
		switch kind {
		case syscall.RTA_OIF:
			if len(value) == 4 {
				w.link = int(binary.NativeEndian.Uint32(value))
			}
		case syscall.RTA_GATEWAY, rtaVia:
			routed = true
		}
	}
	w.onLink = !w.own && !routed && w.link != 0 && hasAddresses(w.link)
	return w, nil
}

// rtaVia is a gateway of the other family.
const rtaVia = 18

// hardwareAddress is what the kernel knows an address on the link to lead to; empty for nothing.
func hardwareAddress(a netip.Addr, link int) string {
	family, _ := family(a)
	body := make([]byte, sizeofNdMsg)
	body[0] = family
	binary.NativeEndian.PutUint32(body[4:], uint32(link)) //nolint:gosec // an index of the kernel's
	answer, err := ask(syscall.RTM_GETNEIGH, append(body, attribute(ndaDst, a.AsSlice())...))
	if err != nil || len(answer) < sizeofNdMsg || binary.NativeEndian.Uint16(answer[8:])&nudKnown == 0 {
		return ""
	}
	for kind, value := range attributes(answer[sizeofNdMsg:]) {
		if kind == ndaLladdr {
			return net.HardwareAddr(value).String()
		}
	}
	return ""
}

func family(a netip.Addr) (family, bits byte) {
	if a.Is4() {
		return syscall.AF_INET, 32
	}
	return syscall.AF_INET6, 128
}

var (
	errShort = errors.New("the kernel's answer is too short")
	errNone  = errors.New("the kernel does not answer")
)

// ask sends the kernel a request for one thing, and gives the body of its answer.
func ask(kind uint16, body []byte) ([]byte, error) {
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a socket to the kernel: %w", err)
	}
	defer func() { _ = syscall.Close(socket) }()
	patience := syscall.NsecToTimeval(time.Second.Nanoseconds())
	if err := syscall.SetsockoptTimeval(socket, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &patience); err != nil {
		return nil, fmt.Errorf("prepare a socket to the kernel: %w", err)
	}
	request := make([]byte, syscall.NLMSG_HDRLEN, syscall.NLMSG_HDRLEN+len(body))
	binary.NativeEndian.PutUint32(request, uint32(syscall.NLMSG_HDRLEN+len(body))) //nolint:gosec // some tens of bytes
	binary.NativeEndian.PutUint16(request[4:], kind)
	binary.NativeEndian.PutUint16(request[6:], syscall.NLM_F_REQUEST)
	if err := syscall.Sendto(socket, append(request, body...), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("ask the kernel: %w", err)
	}
	buffer := make([]byte, 8192)
	n, _, err := syscall.Recvfrom(socket, buffer, 0)
	if err != nil {
		return nil, fmt.Errorf("read the kernel's answer: %w", err)
	}
	messages, err := syscall.ParseNetlinkMessage(buffer[:n])
	if err != nil {
		return nil, fmt.Errorf("read the kernel's answer: %w", err)
	}
	for _, m := range messages {
		if m.Header.Type != syscall.NLMSG_ERROR {
			return m.Data, nil
		}
		if len(m.Data) >= 4 {
			return nil, syscall.Errno(-int32(binary.NativeEndian.Uint32(m.Data))) //nolint:gosec // a negative number, as C has it
		}
	}
	return nil, errNone
}

// attribute is one in the kernel's form.
func attribute(kind uint16, value []byte) []byte {
	out := make([]byte, (syscall.SizeofRtAttr+len(value)+3)&^3)
	binary.NativeEndian.PutUint16(out, uint16(syscall.SizeofRtAttr+len(value))) //nolint:gosec // an address
	binary.NativeEndian.PutUint16(out[2:], kind)
	copy(out[syscall.SizeofRtAttr:], value)
	return out
}

// attributes goes through those of an answer.
func attributes(b []byte) func(yield func(kind uint16, value []byte) bool) {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= syscall.SizeofRtAttr {
			length := int(binary.NativeEndian.Uint16(b))
			if length < syscall.SizeofRtAttr || length > len(b) {
				return
			}
			if !yield(binary.NativeEndian.Uint16(b[2:]), b[syscall.SizeofRtAttr:length]) {
				return
			}
			b = b[min(len(b), (length+3)&^3):]
		}
	}
}
