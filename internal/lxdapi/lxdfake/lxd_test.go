package lxdfake_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

func TestFaults(t *testing.T) {
	boom := fleet.Errorf(fleet.Failed, "boom")
	for _, c := range []struct {
		name  string
		fault lxdfake.Fault
		want  []error // of three starts of acme
		runs  bool    // after the first
	}{
		{"always", lxdfake.Fault{Method: "EnsureStarted", Err: boom}, []error{boom, boom, boom}, false},
		{"once", lxdfake.Fault{Method: "EnsureStarted", Times: 1, Err: boom}, []error{boom, nil, nil}, false},
		{"twice, any method", lxdfake.Fault{Times: 2, Err: boom}, []error{boom, boom, nil}, false},
		{"after the work", lxdfake.Fault{Method: "EnsureStarted", Name: "acme", Times: 1, After: true, Err: boom}, []error{boom, nil, nil}, true},
		{"another instance", lxdfake.Fault{Method: "EnsureStarted", Name: "beta", Err: boom}, []error{nil, nil, nil}, true},
		{"another method", lxdfake.Fault{Method: "EnsureStopped", Err: boom}, []error{nil, nil, nil}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lxdfake.New(lxdfake.Options{})
			if err := l.LxcCreate(fleet.CloneSpec{Name: "acme"}); err != nil {
				t.Fatal(err)
			}
			remove := l.Inject(c.fault)
			for n, want := range c.want {
				if err := l.EnsureStarted(t.Context(), "acme"); !errors.Is(err, want) {
					t.Errorf("start %d: error is %v, want %v", n, err, want)
				}
				if seen, _ := l.Seen("acme"); n == 0 && (seen.Status == fleet.InstanceRunning) != c.runs {
					t.Errorf("status is %s", seen.Status)
				}
			}
			remove()
			if err := l.EnsureStarted(t.Context(), "acme"); err != nil {
				t.Error(err)
			}
			if got := l.Calls("EnsureStarted"); got != 4 {
				t.Errorf("%d calls", got)
			}
		})
	}
}

func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lxdfake.New(lxdfake.Options{AddressDelay: 3 * time.Second, Address: func(string) string { return "127.0.0.1" }})
		if err := l.LxcCreate(fleet.CloneSpec{Name: "acme"}); err != nil {
			t.Fatal(err)
		}
		l.Inject(lxdfake.Fault{Method: "EnsureStarted", Delay: 5 * time.Second})
		start := time.Now()
		if err := l.EnsureStarted(t.Context(), "acme"); err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("error %v after %s", err, time.Since(start))
		}
		for _, c := range []struct {
			pause time.Duration
			want  []string
		}{{0, nil}, {2 * time.Second, nil}, {time.Second, []string{"127.0.0.1"}}} {
			time.Sleep(c.pause)
			if got, err := l.Addresses(t.Context(), "acme"); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s later: %v, error %v", c.pause, got, err)
			}
		}
		if err := l.LxcSetAddress("acme", "127.0.0.2"); err != nil {
			t.Fatal(err)
		}
		if got, _ := l.Addresses(t.Context(), "acme"); !slices.Equal(got, []string{"127.0.0.2"}) {
			t.Errorf("set by hand: %v", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.EnsureStarted(ctx, "acme"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestMove(t *testing.T) {
	l := lxdfake.New(lxdfake.Options{Members: []string{"n1", "n2"}})
	if err := l.LxcCreate(fleet.CloneSpec{Name: "acme", Member: "n1"}); err != nil {
		t.Fatal(err)
	}
	if err := l.LxcMove("acme", "n2"); err != nil {
		t.Fatal(err)
	}
	if seen, _ := l.Seen("acme"); seen.Location != "n2" {
		t.Errorf("location is %s", seen.Location)
	}
}

func BenchmarkInstances(b *testing.B) {
	l := lxdfake.New(lxdfake.Options{Members: []string{"n1", "n2", "n3"}})
	for i := range 10_000 {
		err := l.LxcCreate(fleet.CloneSpec{Name: fmt.Sprintf("tenant%05d", i), Config: map[string]string{
			fleet.KeyJob: "j", fleet.KeyTenant: "t", fleet.KeyPlan: "small", fleet.KeyImage: "wordpress/1",
		}})
		if err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := l.Instances(b.Context(), true); err != nil {
			b.Fatal(err)
		}
	}
}
