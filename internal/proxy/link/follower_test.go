package link

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// pipe is a TCP relay that can be cut.
type relay struct {
	ln    net.Listener
	mu    sync.Mutex
	conns []net.Conn
	to    string
}

func startRelay(t *testing.T, to string) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	r := &relay{ln: ln, to: to}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", r.to)
			if err != nil {
				in.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, in, out)
			r.mu.Unlock()
			work.Go(func() { io.Copy(in, out); in.Close(); out.Close() })
			work.Go(func() { io.Copy(out, in); in.Close(); out.Close() })
		}
	})
	t.Cleanup(func() { ln.Close(); r.cut(); work.Wait() })
	return r
}

func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.Close()
	}
	r.conns = nil
}

func TestResyncAfterTheConnectionBroke(t *testing.T) {
	c := startController(t, newRecords(), "", nil)
	client := c.join("edge")
	between := startRelay(t, c.addr)
	client.identity.Controller = "https://" + between.ln.Addr().String()
	e := startEdge(t, client, nil)
	hold := Hold{"client-00000", "move/1"}
	c.seen(c.Publish(routes(5)))
	ok(t, c.Hold(t.Context(), hold.Tenant, hold.Reason))
	for i := range 5 {
		between.cut()
		all := routes(5 + i)
		all[0].Backend = "10.0.0.9:80"
		if i == 3 {
			c.Resume(hold.Tenant, hold.Reason)
		}
		c.Publish(all)
		e.router.until(t, "the routes of after the break", func() bool { return e.router.backend(all[4+i].Domain) != "" })
	}
	e.router.until(t, "the hold that ended meanwhile is gone", func() bool { return !e.router.isHeld(hold) })
}

func TestANewControllerBringsItsOwnState(t *testing.T) {
	r := newRecords()
	first := startController(t, r, "", nil)
	e := startEdge(t, first.join("edge"), nil)
	for range 3 {
		first.Publish(routes(1))
		first.Publish(routes(2))
	}
	ok(t, first.Hold(t.Context(), "client-00001", "move/1"))
	first.stop()
	if len(e.router.routes) != 2 {
		t.Errorf("without a controller %d routes are left", len(e.router.routes))
	}

	second := startController(t, r, first.addr, nil)
	if second.epoch == first.epoch {
		t.Error("the epoch is the same")
	}
	// Known from the records, and not yet connected: it is waited for.
	g := second.Publish(routes(3))
	second.seen(g)
	if n := len(e.router.routes); n != 3 || second.status("edge").Generation != g {
		t.Errorf("%d routes, %+v", n, second.status("edge"))
	}
	if e.router.isHeld(Hold{"client-00001", "move/1"}) {
		t.Error("a hold of the controller's last life is left")
	}
}

func TestHoldsSurviveARestartWithoutAController(t *testing.T) {
	c := startController(t, newRecords(), "", nil)
	client := c.join("edge")
	file := filepath.Join(t.TempDir(), "holds.json")
	with := func(f *FollowerConfig) { f.HoldsFile = file }
	e := startEdge(t, client, with)
	c.seen(c.Publish(routes(1)))
	ok(t, c.Hold(t.Context(), "client-00000", "move/1"))
	c.stop()
	e.stop()
	var log heard
	again := startEdge(t, client, func(f *FollowerConfig) { with(f); f.Log = log.logger() })
	if !again.router.isHeld(Hold{"client-00000", "move/1"}) {
		t.Error("the gate is open after the restart")
	}
	eventually(t, "it says what is wrong", func() bool { return strings.Contains(log.String(), "nobody listens at "+c.addr) })
	again.Observe("client-00000") // has nowhere to go, and does not block
}

func TestTenThousandRoutes(t *testing.T) {
	c := startController(t, newRecords(), "", nil)
	client := c.join("edge")
	all := routes(10_000)
	c.Publish(all)
	began := time.Now()
	e := startEdge(t, client, nil)
	c.seen(c.Publish(all))
	if took := time.Since(began); took > 3*slack*time.Second { // a tenth of that where nothing else runs
		t.Errorf("10,000 routes took %v", took)
	} else {
		t.Logf("10,000 routes: %v", took)
	}
	var times []time.Duration
	for i := range 21 {
		all[i].Backend = "10.0.0.77:80"
		began := time.Now()
		g := c.Publish(all)
		out, _, err := c.pending(g - 1)
		ok(t, err)
		if len(out) != 1 || len(out[0]) > 1000 {
			t.Fatalf("one changed route is sent in %d lines, the first of %d bytes", len(out), len(out[0]))
		}
		e.router.until(t, "the change", func() bool { return e.router.backend(all[i].Domain) == "10.0.0.77:80" })
		times = append(times, time.Since(began))
		c.seen(g)
	}
	slices.Sort(times)
	if median := times[len(times)/2]; median > 500*time.Millisecond {
		t.Errorf("a change is seen after %v", median)
	} else {
		t.Logf("a change among 10,000 routes is seen after %v (median)", median)
	}
}

// A proxy that is far behind is sent everything, not a long history.
func TestHistoryIsBounded(t *testing.T) {
	h, err := NewHub(t.Context(), HubConfig{Records: newRecords()})
	ok(t, err)
	defer h.Close()
	for i := range mostHistory + 50 {
		h.Publish([]fleet.Route{route(i, "10.0.0.1:80")})
	}
	if len(h.history) > mostHistory {
		t.Errorf("%d changes are kept", len(h.history))
	}
	out, to, err := h.pending(3)
	ok(t, err)
	var first down
	ok(t, json.Unmarshal(out[0], &first))
	if first.Kind != kindSnapshot || to != h.generation || first.Epoch != h.epoch {
		t.Errorf("%+v", first)
	}
	if out, _, _ = h.pending(h.generation - 2); len(out) != 2 {
		t.Errorf("two changes are %d lines", len(out))
	}
}

func TestMistakesOnTheStreamAreNotTaken(t *testing.T) {
	good := func() *state {
		s := newState()
		if _, err := s.become(routes(2)); err != nil {
			t.Fatal(err)
		}
		return s
	}
	sum := good().sum()
	tests := []struct {
		name string
		m    down
	}{
		{"a change before any snapshot", down{Kind: kindChange, Generation: 8, Sum: sum}},
		{"a checksum that differs", down{Kind: kindSnapshot, Generation: 7, Sum: "1"}},
		{"a beat of another generation", down{Kind: kindBeat, Generation: 9}},
		{"a route that is none", down{Kind: kindSnapshot, Generation: 7, Set: []json.RawMessage{[]byte(`{"tenant":"acme"}`)}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRouter()
			s := &stream{follower: NewFollower(FollowerConfig{Router: r}), watch: time.NewTimer(time.Hour), drains: make(chan up, 1)}
			line, err := encode(tt.m)
			ok(t, err)
			if err := s.listen(t.Context(), newLines(strings.NewReader(string(line)), longestDown)); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("it was taken: %v", err)
			}
			if len(r.log()) != 0 {
				t.Errorf("the router was told %q", r.log())
			}
		})
	}
}

func TestASilentControllerIsGivenUp(t *testing.T) {
	c := startController(t, newRecords(), "", func(h *HubConfig) { h.Lease = time.Hour }) // it never beats
	var log heard
	e := startEdge(t, c.join("edge"), func(f *FollowerConfig) { f.Lease, f.Log = 300*time.Millisecond, log.logger() })
	c.seen(c.Publish(routes(1)))
	eventually(t, "it says so", func() bool { return strings.Contains(log.String(), "the controller was silent for 300ms") })
	if len(e.router.routes) != 1 {
		t.Error("the routes are gone")
	}
}

func TestPartsAreOneChange(t *testing.T) {
	s := newState()
	all := routes(10_000)
	d, err := s.become(all)
	ok(t, err)
	d.Kind, d.Generation, d.Sum = kindSnapshot, 1, s.sum()
	cut := parts(*d)
	if len(cut) < 3 {
		t.Fatalf("%d parts", len(cut))
	}
	var whole *down
	for i, p := range cut {
		if p.More != (i < len(cut)-1) {
			t.Errorf("part %d: more is %v", i, p.More)
		}
		whole, err = gather(whole, p)
		ok(t, err)
	}
	next, err := newState().after(*whole)
	ok(t, err)
	if len(next.routes) != 10_000 || next.sum() != s.sum() {
		t.Errorf("%d routes", len(next.routes))
	}
	if _, err := gather(&down{Kind: kindSnapshot, More: true}, down{Kind: kindChange}); !errors.Is(err, errSequence) {
		t.Errorf("a change within a snapshot: %v", err)
	}
}

// Whatever comes, either it is refused and nothing has changed, or the state is what its checksum
// says.
func FuzzMessages(f *testing.F) {
	s := newState()
	d, _ := s.become(routes(2))
	d.Kind, d.Generation, d.Sum, d.Held = kindSnapshot, 1, s.sum(), nil
	line, _ := encode(d)
	f.Add(line)
	f.Add([]byte(`{"kind":"snapshot","generation":1,"more":true}` + "\n" + `{"kind":"snapshot","sum":"0"}`))
	f.Add([]byte(`{"kind":"beat"}` + "\n" + `{"kind":"drain","drain":3,"tenant":"acme"}`))
	f.Add([]byte(`{"kind":"change","generation":2,"held":[{"tenant":"acme","reason":"move"}],"sum":"f"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newRouter()
		follower := NewFollower(FollowerConfig{Router: r, Client: &Client{identity: &Identity{}}})
		in, out := io.Pipe()
		go io.Copy(io.Discard, in)
		defer in.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s := &stream{follower: follower, watch: time.NewTimer(time.Hour), drains: make(chan up, 1), pipe: out}
		if err := s.listen(ctx, newLines(strings.NewReader(string(data)), longestDown)); err == nil {
			t.Fatal("the stream never ends")
		}
		cancel()
		s.work.Wait()
		again := newState()
		for _, e := range follower.state.routes {
			again.set(e)
		}
		for h := range follower.state.holds {
			again.hold(h)
			if !r.isHeld(h) {
				t.Errorf("%v is not held", h)
			}
		}
		if again.sum() != follower.state.sum() {
			t.Errorf("the checksum is %s, of the state %s", follower.state.sum(), again.sum())
		}
		if len(r.held) != len(follower.state.holds) || r.routes != nil && len(r.routes) != len(follower.state.routes) {
			t.Errorf("the router has %v and %v, the state %v", r.routes, r.held, follower.state)
		}
	})
}
