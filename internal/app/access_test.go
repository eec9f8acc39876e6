package app

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/proxy/accesslog"
)

// SIGHUP, which log rotation sends, opens the log anew and never ends the daemon.
func TestReopenOnHangup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	there := func() bool { _, err := os.Stat(path); return err == nil }
	log := accesslog.Open(accesslog.Config{Path: path, Every: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{}, 2)
	for _, l := range []*accesslog.Log{log, nil} {
		loop := reopenOnHangup(l)
		go func() { loop(ctx); ended <- struct{}{} }()
	}
	for range 2 { // once to have the file, once to have it anew
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(30 * time.Second); !there(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the file is not opened anew")
			}
		}
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	<-ended
	<-ended
	if err := log.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
