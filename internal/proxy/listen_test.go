package proxy

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestBindSaysWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	denied := func(string, string) (net.Listener, error) {
		return nil, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", fs.ErrPermission)}
	}
	for name, tc := range map[string]struct {
		listen  func(network, address string) (net.Listener, error)
		address string
		code    fleet.Code
		says    string
	}{
		"taken":          {net.Listen, taken.Addr().String(), fleet.Taken, fmt.Sprintf("(pid %d)", os.Getpid())},
		"not allowed":    {denied, ":443", fleet.Forbidden, "CAP_NET_BIND_SERVICE"},
		"not ours":       {net.Listen, "192.0.2.1:0", fleet.Invalid, "does not have the address"},
		"not an address": {net.Listen, "443", fleet.Invalid, "address:port"},
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := bind(tc.listen, "tcp", "https", tc.address)
			if err == nil {
				ln.Close()
				t.Fatal("no error")
			}
			if !errors.Is(err, tc.code) || !strings.Contains(err.Error(), tc.says) || !strings.HasPrefix(err.Error(), "https: ") {
				t.Errorf("%v; want code %s and %q", err, tc.code, tc.says)
			}
		})
	}
}

func TestListening(t *testing.T) {
	table := `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:01BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:01BB 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 100 0 0 10 0
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0 0 10 0
`
	if got := listening(table, 443); len(got) != 1 || got[0] != "socket:[4711]" {
		t.Errorf("got %v", got)
	}
}
