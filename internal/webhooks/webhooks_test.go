package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

// receiver is a program that is told, and answers what its function says.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	got  []message
	sigs []error
}

func newReceiver(t *testing.T, secret func() string, answer func(n int, m message) int) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		var m message
		err := json.Unmarshal(body, &m)
		if err == nil {
			err = Verify(secret(), req.Header.Get(HeaderSignature), body, time.Now(), time.Minute)
		}
		if req.Header.Get(HeaderDelivery) != m.ID || req.Header.Get(HeaderEvent) != m.Type {
			err = fmt.Errorf("headers %v", req.Header)
		}
		r.mu.Lock()
		r.got, r.sigs = append(r.got, m), append(r.sigs, err)
		n := len(r.got)
		r.mu.Unlock()
		if code := answer(n, m); code >= 300 && code < 400 {
			http.Redirect(w, req, "/elsewhere", code)
		} else {
			w.WriteHeader(code)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) messages(t *testing.T) []message {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, err := range r.sigs {
		if err != nil {
			t.Error(err)
		}
	}
	return append([]message{}, r.got...)
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "hooks.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func create(t *testing.T, s *Service, w fleet.Webhook) fleet.Webhook {
	t.Helper()
	w, err := s.Create(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// run runs the service; the function it gives ends it.
func run(t *testing.T, s *Service) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	return stop
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in time: ", what)
		}
	}
}

func tell(t *testing.T, s *Service, kind, subject string, data any) {
	t.Helper()
	if err := s.Tell(t.Context(), fleet.Event{Type: kind, Subject: subject, Data: data, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

// clock is a time that goes on with the real one, and can be put forward.
type clock struct {
	mu   sync.Mutex
	more time.Duration
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return time.Now().Add(c.more) }
func (c *clock) on(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.more += d
}

func TestOrderedPerTenantAndRetried(t *testing.T) {
	c := &clock{}
	s := NewService(openStore(t), Options{Now: c.now})
	s.send = newSender(time.Second*5, time.Now).send // signed by the receiver's clock
	var secret string
	refused := map[string]bool{}
	r := newReceiver(t, func() string { return secret }, func(_ int, m message) int {
		if m.Subject == "tenant/acme" && !refused[m.ID] {
			refused[m.ID] = true
			return http.StatusServiceUnavailable
		}
		return http.StatusNoContent
	})
	w := create(t, s, fleet.Webhook{Name: "crm", URL: r.URL, AllowPrivate: true, Events: []string{"tenant."}})
	secret = w.Secret
	run(t, s)
	for i := range 4 {
		tell(t, s, "tenant.changed", "tenant/acme", i)
		tell(t, s, "tenant.changed", "tenant/bakery", i)
		tell(t, s, "job.changed", "job/x", i) // not wanted
	}
	order := func(subject string) (out []any) {
		seen := map[string]bool{}
		for _, m := range r.messages(t) {
			if m.Subject == subject && !seen[m.ID] {
				seen[m.ID] = true
				out = append(out, m.Data)
			}
		}
		return out
	}
	until(t, "bakery is told while acme waits", func() bool { return len(order("tenant/bakery")) == 4 })
	until(t, "acme is told", func() bool {
		c.on(time.Second)
		s.ring()
		list, err := s.Deliveries(t.Context(), fleet.DeliveryFilter{State: fleet.DeliveryDelivered})
		return err == nil && len(list) == 8
	})
	for _, subject := range []string{"tenant/acme", "tenant/bakery"} {
		if got := fmt.Sprint(order(subject)); got != "[0 1 2 3]" {
			t.Errorf("%s: order %s", subject, got)
		}
	}
	list, _ := s.Deliveries(t.Context(), fleet.DeliveryFilter{WebhookID: w.ID})
	if last := list[len(list)-1]; last.Attempts != 2 || last.Status != 204 || last.Error != "" || last.Took <= 0 {
		t.Errorf("%+v", last)
	}
}

func TestDeadLettersAreReplayed(t *testing.T) {
	c := &clock{}
	s := NewService(openStore(t), Options{Now: c.now})
	s.send = newSender(5*time.Second, time.Now).send
	var secret string
	well := false
	r := newReceiver(t, func() string { return secret }, func(int, message) int {
		if well {
			return 200
		}
		return 500
	})
	secret = create(t, s, fleet.Webhook{Name: "crm", URL: r.URL, AllowPrivate: true}).Secret
	stop := run(t, s)
	tell(t, s, "tenant.changed", "tenant/acme", nil)
	one := func() fleet.Delivery {
		list, err := s.Deliveries(t.Context(), fleet.DeliveryFilter{})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0]
	}
	tries := 0
	for one().State == fleet.DeliveryPending && tries < 100 {
		n := one().Attempts
		until(t, "an attempt", func() bool { return one().Attempts > n || one().State != fleet.DeliveryPending })
		c.on(2 * time.Hour)
		s.ring()
		tries++
	}
	if d := one(); d.State != fleet.DeliveryDead || d.Attempts < 12 || !strings.Contains(d.Error, "500") {
		t.Fatalf("after %d tries: %+v", tries, d)
	}
	stop()
	well = true
	if _, err := s.Replay(t.Context(), one().ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Replay(t.Context(), one().ID); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("replayed while pending: %v", err)
	}
	run(t, s)
	until(t, "delivered", func() bool { return one().State == fleet.DeliveryDelivered })
	if _, err := s.Replay(t.Context(), "none"); fleet.CodeOf(err) != fleet.NotFound {
		t.Error(err)
	}
}

// A daemon that is ended in the middle of an attempt leaves the delivery to the next one.
func TestSurvivesTheDaemon(t *testing.T) {
	st := openStore(t)
	c := &clock{}
	s := NewService(st, Options{Now: c.now})
	began, release := make(chan struct{}, 8), make(chan struct{})
	var secret string
	r := newReceiver(t, func() string { return secret }, func(n int, _ message) int {
		if n == 1 {
			began <- struct{}{}
			<-release
			return 500
		}
		return 200
	})
	secret = create(t, s, fleet.Webhook{Name: "crm", URL: r.URL, AllowPrivate: true}).Secret
	stop := run(t, s)
	tell(t, s, "tenant.changed", "tenant/acme", nil)
	<-began
	stop()
	close(release)
	next := NewService(st, Options{Now: c.now})
	next.send = newSender(5*time.Second, time.Now).send
	c.on(time.Hour) // the claim of the first is over
	run(t, next)
	until(t, "delivered", func() bool {
		list, err := next.Deliveries(t.Context(), fleet.DeliveryFilter{State: fleet.DeliveryDelivered})
		return err == nil && len(list) == 1
	})
	if got := r.messages(t); len(got) != 2 || got[0].ID != got[1].ID {
		t.Errorf("%v", got)
	}
}

func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		answer int
		state  fleet.DeliveryState
		says   string
	}{
		"redirect": {http.StatusFound, fleet.DeliveryPending, "redirects are not followed"},
		"gone":     {http.StatusGone, fleet.DeliveryDead, "no more"},
		"server":   {http.StatusBadGateway, fleet.DeliveryPending, "502"},
	} {
		var secret string
		r := newReceiver(t, func() string { return secret }, func(int, message) int { return tt.answer })
		w := fleet.Webhook{URL: r.URL, Secret: "s", AllowPrivate: true}
		secret = "s"
		d := fleet.Delivery{ID: "1", Type: "x", State: fleet.DeliveryPending, Body: []byte(`{"id":"1","type":"x"}`), Since: time.Now()}
		got := after(d, newSender(time.Second, time.Now).send(t.Context(), w, d), time.Now(), time.Hour)
		if got.State != tt.state || !strings.Contains(got.Error, tt.says) || len(r.messages(t)) != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Whatever name or address the URL has, nothing that is not public is connected to.
func TestOnlyPublicAddresses(t *testing.T) {
	r := newReceiver(t, func() string { return "" }, func(int, message) int { return 200 })
	_, port, _ := strings.Cut(strings.TrimPrefix(r.URL, "http://"), ":")
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.1"} {
		w := fleet.Webhook{URL: "http://" + host + ":" + port}
		o := newSender(2*time.Second, time.Now).send(t.Context(), w, fleet.Delivery{Body: []byte("{}")})
		if o.good() || o.final {
			t.Errorf("%s: %+v", host, o)
		}
	}
	if got := r.messages(t); len(got) != 0 {
		t.Errorf("connected: %v", got)
	}
	for address, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true,
		"10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "224.0.0.1": false,
		"255.255.255.255": false, "0.1.2.3": false, "::": false, "::1": false, "fe80::1": false, "fd00::1": false, "ff02::1": false,
		"::ffff:10.0.0.1": false, "64:ff9b::a00:1": false, "2002:a00:1::1": false, "2001:db8::1": false, "::7f00:1": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: public %t", address, got)
		}
	}
}

func TestCheck(t *testing.T) {
	s := NewService(openStore(t), Options{})
	good := fleet.Webhook{Name: "crm", URL: "https://crm.example.org/hook?x=1"}
	for name, change := range map[string]func(*fleet.Webhook){
		"no name":   func(w *fleet.Webhook) { w.Name = " " },
		"long name": func(w *fleet.Webhook) { w.Name = strings.Repeat("x", 300) },
		"http":      func(w *fleet.Webhook) { w.URL = "http://crm.example.org" },
		"no host":   func(w *fleet.Webhook) { w.URL = "https:///x" },
		"scheme":    func(w *fleet.Webhook) { w.URL, w.AllowPrivate = "file:///etc/passwd", true },
		"password":  func(w *fleet.Webhook) { w.URL = "https://u:p@crm.example.org" },
		"fragment":  func(w *fleet.Webhook) { w.URL += "#x" },
		"event":     func(w *fleet.Webhook) { w.Events = []string{"Tenant*"} },
		"control":   func(w *fleet.Webhook) { w.URL = "https://crm.example.org/\x00" },
	} {
		w := good
		change(&w)
		if _, err := s.Create(t.Context(), w); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := good
	w.URL = "https://169.254.169.254/latest"
	if _, err := s.Create(t.Context(), w); fleet.CodeOf(err) != fleet.Forbidden {
		t.Error(err)
	}
	made := create(t, s, good)
	if made.Secret == "" {
		t.Error("no secret")
	}
	if _, err := s.Create(t.Context(), good); fleet.CodeOf(err) != fleet.Taken {
		t.Error(err)
	}
	before, changed, err := s.Edit(t.Context(), made.ID, Edit{Disabled: new(true)}, 1)
	if err != nil || before.Disabled || !changed.Disabled || changed.Secret != "" || changed.Revision != 2 {
		t.Errorf("%+v, %+v, %v", before, changed, err)
	}
	if _, _, err := s.Edit(t.Context(), made.ID, Edit{}, 1); fleet.CodeOf(err) != fleet.Conflict {
		t.Error(err)
	}
	if _, err := s.Test(t.Context(), made.ID); fleet.CodeOf(err) != fleet.Conflict {
		t.Error(err)
	}
	if _, renewed, err := s.Edit(t.Context(), made.ID, Edit{NewSecret: true}, 0); err != nil || renewed.Secret == "" || renewed.Secret == made.Secret {
		t.Error(renewed, err)
	}
	if err := s.Delete(t.Context(), made.ID); err != nil {
		t.Error(err)
	}
	if _, err := s.Test(t.Context(), made.ID); fleet.CodeOf(err) != fleet.NotFound {
		t.Error(err)
	}
}

func TestVerify(t *testing.T) {
	now, body := time.Now(), []byte("{}")
	sig := Sign("s", now, body)
	for name, err := range map[string]error{
		"secret": Verify("other", sig, body, now, time.Minute),
		"body":   Verify("s", sig, []byte("{ }"), now, time.Minute),
		"old":    Verify("s", sig, body, now.Add(time.Hour), time.Minute),
		"future": Verify("s", sig, body, now.Add(-time.Hour), time.Minute),
		"time":   Verify("s", strings.Replace(sig, "t=", "t=1", 1), body, now, time.Minute),
		"empty":  Verify("s", "", body, now, time.Minute),
	} {
		if fleet.CodeOf(err) != fleet.Forbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Verify("s", sig, body, now, time.Minute); err != nil {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("t=1,v1=00", []byte("{}"))
	f.Fuzz(func(t *testing.T, sig string, body []byte) {
		if Verify("a secret nobody knows", sig, body, time.Unix(1, 0), time.Hour) == nil {
			t.Fatal("a signature was made without the secret")
		}
	})
}

func TestIDsSortAsTheyWereAskedFor(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := NewService(openStore(t), Options{Now: func() time.Time { at = at.Add(300 * time.Microsecond); return at }})
	last := ""
	for range 1000 {
		id, _ := s.nextID()
		if id <= last {
			t.Fatalf("%s comes after %s", id, last)
		}
		last = id
	}
}

func TestWhatIsOfOneTenantComesInOrder(t *testing.T) {
	s := NewService(openStore(t), Options{})
	w := create(t, s, fleet.Webhook{Name: "crm", URL: "https://crm.example.org", Tenants: []fleet.Name{"acme"}})
	for _, e := range []fleet.Event{
		{Type: "tenant.changed", Subject: "tenant/acme"},
		{Type: "job.changed", Subject: "job/1", Tenant: "acme"},
		{Type: "job.changed", Subject: "job/2", Tenant: "bakery"},
		{Type: "image.changed", Subject: "image/acme"},
	} {
		if err := s.Tell(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.Deliveries(t.Context(), fleet.DeliveryFilter{WebhookID: w.ID})
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	for _, d := range list {
		if d.Subject != "tenant/acme" || !strings.Contains(string(d.Body), `"tenant":"acme"`) {
			t.Errorf("%s %s", d.Subject, d.Body)
		}
	}
}
