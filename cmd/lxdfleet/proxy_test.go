package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/link"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

// asProgram makes the test's binary the program itself.
const asProgram = "LXDFLEET_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// controller is a hub on a real store.
type controller struct {
	*link.Hub
	addr  string
	certs string // folder of the certificates
	stop  func()
}

func startController(t *testing.T, dir, addr string) *controller {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite://"+filepath.Join(dir, "fleet.db"))
	ok(t, err)
	var ln net.Listener
	until(t, "listen", func() bool { ln, err = net.Listen("tcp", addr); return err == nil })
	c := &controller{addr: ln.Addr().String(), certs: filepath.Join(dir, "certificates")}
	c.Hub, err = link.NewHub(t.Context(), link.HubConfig{
		Records: s, Storage: &certmagic.FileStorage{Path: c.certs}, Address: "https://" + c.addr,
		Settings: []byte(`{"tls":{"Storage":"files"}}`), Lease: 2 * time.Second,
	})
	ok(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- c.Serve(ctx, ln) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		c.Close()
		s.Close()
	})
	t.Cleanup(c.stop)
	return c
}

// program is a process of lxdfleet.
type program struct {
	cmd   *exec.Cmd
	ended chan struct{}
	out   *output
}

type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) { o.mu.Lock(); defer o.mu.Unlock(); return o.b.Write(p) }

func (o *output) String() string { o.mu.Lock(); defer o.mu.Unlock(); return o.b.String() }

func run(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(os.Args[0], args...), ended: make(chan struct{}), out: &output{}}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the kernel watches the thread that started the child
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
			close(p.ended)
		}
	}()
	ok(t, <-started)
	t.Cleanup(func() {
		p.end(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("lxdfleet %s said:\n%s", strings.Join(args, " "), p.out)
		}
	})
	return p
}

func (p *program) end(how syscall.Signal) {
	_ = p.cmd.Process.Signal(how)
	<-p.ended
}

func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !reached(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not in a minute: %s", what)
		}
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

// visit asks the proxy at addr for a host over HTTPS and gives the answer; no roots: any
// certificate will do.
func visit(t *testing.T, addr, host string, roots *x509.CertPool) (int, string, error) {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{ServerName: host, RootCAs: roots, InsecureSkipVerify: roots == nil},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	res, err := c.Get("https://" + host + "/")
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, string(body), err
}

// The whole life of a proxy in a process of its own: it joins, serves, follows changes, obeys a
// hold, lives on without its controller and over its own restart, and follows again.
func TestProxyInItsOwnProcess(t *testing.T) {
	backend := func(says string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, says) }))
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	one, two := backend("one"), backend("two")
	const host = "acme.localhost"
	lead := func(backend string) []fleet.Route {
		return []fleet.Route{{Domain: host, Tenant: "acme", State: fleet.RouteServe, Backend: backend}}
	}
	controllerDir, dir := t.TempDir(), t.TempDir()
	c := startController(t, controllerDir, "127.0.0.1:0")
	https := freeAddr(t)
	config := filepath.Join(dir, "edge.yaml")
	ok(t, os.WriteFile(config, fmt.Appendf(nil, "proxy: {https: %q, http: \"\"}\n", https), 0o600))
	args := []string{"proxy", "--config", config, "--data-dir", filepath.Join(dir, "data"), "--controller", "https://" + c.addr}

	// Without a token it says what to do.
	p := run(t, args...)
	<-p.ended
	if !strings.Contains(p.out.String(), "lxdfleet proxy token") {
		t.Errorf("it said %s", p.out)
	}

	token, _, err := c.NewToken(t.Context(), "edge-1", time.Hour)
	ok(t, err)
	p = run(t, append(args, "--token", token.String())...)
	seen := func(c *controller, generation int64) {
		t.Helper()
		until(t, "the proxy is connected", func() bool { return len(c.Proxies()) == 1 && c.Proxies()[0].Connected })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ok(t, c.WaitSeen(ctx, generation))
	}
	seen(c, c.Publish(lead(one)))
	answers := func(want string, roots *x509.CertPool) {
		t.Helper()
		var got string
		until(t, "the proxy answers "+want, func() bool {
			var err error
			_, got, err = visit(t, https, host, roots)
			return err == nil && got == want
		})
	}
	// Its certificate is of the authority in the controller's storage.
	answers("one", authority(t, c.certs))

	seen(c, c.Publish(lead(two)))
	if _, got, err := visit(t, https, host, nil); err != nil || got != "two" {
		t.Errorf("the change is confirmed, and the proxy answers %q, %v", got, err)
	}

	// A held request waits, and is led to the backend that was swapped in meanwhile.
	ok(t, c.Hold(t.Context(), "acme", "move/1"))
	answered := make(chan string, 1)
	go func() { _, got, _ := visit(t, https, host, nil); answered <- got }()
	seen(c, c.Publish(lead(one)))
	select {
	case got := <-answered:
		t.Errorf("held, and answered %q", got)
	default:
	}
	c.Resume("acme", "move/1")
	if got := <-answered; got != "one" {
		t.Errorf("after the hold %q", got)
	}

	// Killed, and started again without its controller: it has all it needs on its disk.
	roots := authority(t, c.certs)
	c.stop()
	answers("one", roots)
	p.end(syscall.SIGKILL)
	p = run(t, args...)
	answers("one", roots)

	// The controller is back, and knows it still.
	c = startController(t, controllerDir, c.addr)
	seen(c, c.Publish(lead(two)))
	if _, got, err := visit(t, https, host, roots); err != nil || got != "two" {
		t.Errorf("after the controller is back %q, %v", got, err)
	}
	p.end(syscall.SIGTERM)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if identity, err := os.Stat(filepath.Join(dir, "data", "identity.json")); err != nil || identity.Mode().Perm() != 0o600 {
		t.Errorf("identity: %v, %v", identity, err)
	}
}

// authority is the internal certificate authority in a storage of files.
func authority(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(dir, "internal-ca", "roots.pem"))
	ok(t, err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("there is no authority")
	}
	return pool
}
