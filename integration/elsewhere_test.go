//go:build integration

package integration

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// edge is a proxy in a process of its own, which knows the fleet only by its controller.
type edge struct {
	w           *world
	config      string
	http, https int
	*process
}

func (w *world) newEdge(name string) *edge {
	w.t.Helper()
	e := &edge{w: w, http: freePort(w.t), https: freePort(w.t), config: filepath.Join(w.dir, name+".yaml")}
	text := fmt.Sprintf("data_dir: %s/%s\nmetrics:\n  listen: \"off\"\nproxy:\n  http: \"127.0.0.1:%d\"\n  https: \"127.0.0.1:%d\"\n", w.dir, name, e.http, e.https)
	if err := os.WriteFile(e.config, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return e
}

// run starts it with these arguments besides.
func (e *edge) run(args ...string) {
	e.w.t.Helper()
	log := &lines{}
	cmd := exec.Command(binary, append([]string{"--config", e.config, "proxy"}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		e.w.t.Fatal(err)
	}
	e.process = &process{cmd: cmd, gone: make(chan struct{}), log: log}
	go func(p *process) {
		_ = p.cmd.Wait()
		close(p.gone)
	}(e.process)
	e.w.t.Cleanup(e.process.stop)
}

// page fetches acme's page through it.
func (e *edge) page(roots *x509.CertPool) (status int, body string) {
	w := *e.w
	w.https = e.https
	return w.fetch("acme.localhost", &tls.Config{RootCAs: roots})
}

// TestProxyElsewhere: a proxy that has nothing but a token serves real tenants, follows changes,
// and serves on when the daemon is gone, also after its own restart.
func TestProxyElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	controller := fmt.Sprintf("https://127.0.0.1:%d", freePort(t))
	w.settings["proxies"] = fmt.Sprintf("  listen: %q\n  address: %q\n", strings.TrimPrefix(controller, "https://"), controller)
	w.up()
	w.create("acme")
	roots := w.trust(t).RootCAs
	token := strings.Fields(w.must("proxy", "token", "--name", "edge-1"))
	e := w.newEdge("edge-1")
	e.run("--controller", controller, "--token", token[len(token)-1], "--name", "edge-1")
	is := func(want int, text string) func() bool {
		return func() bool {
			status, body := e.page(roots)
			return status == want && strings.Contains(body, text)
		}
	}
	eventually(t, 30*time.Second, "the proxy serves acme with a certificate of the same authority", is(http.StatusOK, "tenant=acme"))
	if list := w.must("proxy", "list"); !strings.Contains(list, "edge-1") || !strings.Contains(list, "connected") {
		t.Errorf("proxy list:\n%s", list)
	}

	w.lxc("stop", "acme")
	eventually(t, 2*time.Second, "the proxy knows that acme is stopped", is(http.StatusServiceUnavailable, ""))
	w.lxc("start", "acme")
	eventually(t, 10*time.Second, "acme is back", is(http.StatusOK, "tenant=acme"))

	w.daemon.kill()
	if !is(http.StatusOK, "tenant=acme")() {
		t.Error("without its controller the proxy does not serve")
	}
	e.process.signal(syscall.SIGKILL)
	<-e.gone
	e.run("--controller", controller)
	eventually(t, 30*time.Second, "started without its controller the proxy serves", is(http.StatusOK, "tenant=acme"))

	w.start()
	w.must("tenant", "stop", "acme")
	eventually(t, 15*time.Second, "the proxy follows again", is(http.StatusServiceUnavailable, ""))
	w.must("tenant", "start", "acme")
	eventually(t, 15*time.Second, "acme is back", is(http.StatusOK, "tenant=acme"))

	// It is replaced as the daemon is.
	before := e.cmd.Process.Pid
	e.signal(syscall.SIGHUP)
	pidFile := filepath.Join(w.dir, "edge-1", "lxdfleet.pid")
	eventually(t, time.Minute, "a successor has taken over", func() bool {
		text, err := os.ReadFile(pidFile)
		if err != nil {
			return false
		}
		_, err = fmt.Sscan(string(text), &e.heir)
		return err == nil && e.heir != before
	})
	if !is(http.StatusOK, "tenant=acme")() {
		t.Error("the successor does not serve")
	}
	w.must("proxy", "remove", "edge-1")
	eventually(t, 15*time.Second, "a removed proxy is told so", func() bool {
		return strings.Contains(e.log.tail(20), "removed") || strings.Contains(e.log.tail(20), "refused")
	})
}
