package cli

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/cobra"
)

// tap is a socket that passes on what comes to another one, and knows whether something came.
type tap struct {
	socket string
	asked  atomic.Bool
}

func newTap(t *testing.T, to string) *tap {
	t.Helper()
	dir, err := os.MkdirTemp("", "lxdfleet") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	w := &tap{socket: filepath.Join(dir, "s")}
	ln, err := net.Listen("unix", w.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = ln.Close()
		_ = os.RemoveAll(dir)
	})
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			w.asked.Store(true)
			go pass(near, to)
		}
	}()
	return w
}

func pass(near net.Conn, to string) {
	defer near.Close()
	far, err := net.Dial("unix", to)
	if err != nil {
		return
	}
	defer far.Close()
	ended := make(chan struct{}, 2)
	for from, into := range map[net.Conn]net.Conn{near: far, far: near} {
		go func() {
			_, _ = io.Copy(into, from)
			ended <- struct{}{}
		}()
	}
	<-ended
}

// here are the commands that ask no daemon in TestCommands, with the reason.
var here = map[string]string{
	"init":                  "prepares LXD before there is a daemon",
	"serve":                 "is the daemon",
	"config check":          "reads a file that no daemon has read yet",
	"config example":        "prints a file of this very program",
	"backup confirm-key":    "asks with the key that is typed: TestKeyIsShownAndConfirmed",
	"events":                "asks until it is interrupted: TestEvents",
	"context list":          "the user's own file",
	"context use":           "the user's own file",
	"login":                 "asks the daemon at the address that it is given: TestLogin",
	"logout":                "likewise",
	"man":                   "writes the pages of this very program",
	"completion bash":       "a script of this very program",
	"completion zsh":        "likewise",
	"completion fish":       "likewise",
	"completion powershell": "likewise",
}

// checkAsked looks whether all commands but those have asked the daemon, which TestCommands serves
// by the API alone: so there is nothing that the command line can do and the API cannot.
func checkAsked(t *testing.T, asked map[string]bool) {
	t.Helper()
	left := []string{}
	for name := range here {
		left = append(left, name)
	}
	visit(Root(testApp(), Streams{}), func(c *cobra.Command) {
		if c.HasSubCommands() {
			return
		}
		name := strings.TrimPrefix(c.CommandPath(), "lxdfleet ")
		if at := slices.Index(left, name); at >= 0 {
			left = slices.Delete(left, at, at+1)
			if asked[name] {
				t.Errorf("lxdfleet %s asks the daemon, and is listed as one that does not", name)
			}
			return
		}
		if !asked[name] {
			t.Errorf("lxdfleet %s asks no daemon in any line of this test: what it does, the API cannot", name)
		}
	})
	if len(left) > 0 {
		t.Errorf("there are no commands %v", left)
	}
}

// commandOf names the command of a line.
func commandOf(t *testing.T, args []string) string {
	t.Helper()
	c, _, err := Root(testApp(), Streams{}).Find(args)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(c.CommandPath(), "lxdfleet ")
}
