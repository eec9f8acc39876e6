package snapshots

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

// print gives a hook that prints, and ends at once.
func printHook(exit int, stdout, stderr string) lxdfake.ExecFunc {
	return func(_ context.Context, _ string, spec fleet.ExecSpec) (int, error) {
		_, _ = io.WriteString(spec.Stdout, stdout)
		_, _ = io.WriteString(spec.Stderr, stderr)
		return exit, nil
	}
}

func TestHook(t *testing.T) {
	megabytes := strings.Repeat(strings.Repeat("noise ", 1000)+"\n", 1000)
	for name, c := range map[string]struct {
		hook lxdfake.ExecFunc
		slow time.Duration // the snapshot takes
		want fleet.Consistency
		why  string
		most time.Duration // the job takes, at most
		held time.Duration // about
		ran  string        // hooks, where the image has both
	}{
		"holds":                {hook: stillHook, want: fleet.ConsistentApplication, slow: 300 * time.Millisecond, held: 300 * time.Millisecond, most: time.Second},
		"fails":                {hook: printHook(1, "", "no lock for you"), want: fleet.ConsistentCrash, why: "exit code 1: no lock for you", most: time.Second},
		"fails with megabytes": {hook: printHook(2, megabytes, megabytes), want: fleet.ConsistentCrash, why: "exit code 2: noise", most: time.Second},
		"prints megabytes before it holds": {
			hook: func(ctx context.Context, name string, spec fleet.ExecSpec) (int, error) {
				_, _ = io.WriteString(spec.Stdout, megabytes)
				_, _ = io.WriteString(spec.Stderr, megabytes)
				return stillHook(ctx, name, spec)
			}, want: fleet.ConsistentApplication, most: time.Second,
		},
		"prints megabytes without an end of line": {
			hook: func(ctx context.Context, name string, spec fleet.ExecSpec) (int, error) {
				_, _ = io.WriteString(spec.Stdout, strings.Repeat("x", 4<<20))
				return stillHook(ctx, name, spec)
			}, want: fleet.ConsistentCrash, why: "did not hold", most: 10 * time.Second,
		},
		"hangs before it holds": {
			hook: func(ctx context.Context, _ string, _ fleet.ExecSpec) (int, error) { <-ctx.Done(); return -1, ctx.Err() },
			want: fleet.ConsistentCrash, why: "did not hold the application still within 5s", most: 6 * time.Second,
		},
		"hangs after the release": {
			hook: func(ctx context.Context, _ string, spec fleet.ExecSpec) (int, error) {
				_, _ = fmt.Fprintln(spec.Stdout, "held")
				<-ctx.Done()
				return -1, ctx.Err()
			}, want: fleet.ConsistentApplication, most: 4 * time.Second, held: 2 * time.Second,
		},
		"lets go too soon": {
			hook: func(_ context.Context, _ string, spec fleet.ExecSpec) (int, error) {
				_, _ = fmt.Fprintln(spec.Stdout, "held")
				time.Sleep(time.Second)
				return 0, nil
			}, slow: 3 * time.Second, want: fleet.ConsistentCrash, why: "let go before the snapshot was complete", most: 4 * time.Second,
		},
		"lets go at the limit": {
			hook: func(_ context.Context, _ string, spec fleet.ExecSpec) (int, error) {
				_, _ = fmt.Fprintln(spec.Stdout, "held")
				time.Sleep(5 * time.Second)
				return 0, nil
			}, slow: time.Minute, want: fleet.ConsistentCrash, why: "let go", held: 5 * time.Second, most: 62 * time.Second,
		},
		"ignores the limit": {
			hook: stillHook, slow: 20 * time.Second, want: fleet.ConsistentCrash, why: "within the limit of 5s", most: 21 * time.Second,
		},
		// A snapshot takes a moment, in which the hook's end is heard of.
		"holds and ends at once": {
			hook: printHook(0, "held\n", ""), slow: 10 * time.Millisecond, want: fleet.ConsistentCrash, why: "let go", most: time.Second,
		},
		"older: holds until the other hook": {
			hook: printHook(0, "locked\n", ""), want: fleet.ConsistentApplication, most: time.Second, ran: "pre-snapshot post-snapshot",
		},
		"cannot be run": {
			hook: func(context.Context, string, fleet.ExecSpec) (int, error) {
				return -1, fleet.Errorf(fleet.Unavailable, "LXD is away")
			}, want: fleet.ConsistentCrash, why: "LXD is away", most: time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
				if c.ran != "" {
					w.hooks("pre-snapshot", "post-snapshot")
				}
				w.setHook(c.hook)
				if c.slow > 0 {
					w.lxd.Inject(lxdfake.Fault{Method: "EnsureSnapshot", Delay: c.slow})
				}
				began := time.Now()
				n := w.take("one")
				if took := time.Since(began); took > c.most {
					t.Errorf("it took %s", took)
				}
				if n.Consistency != c.want || !strings.Contains(n.Why, c.why) || (c.why == "") != (n.Why == "") || len(n.Why) > 600 {
					t.Errorf("%s: %s", n.Consistency, n.Why)
				}
				if c.held > 0 && (n.Held < c.held || n.Held > c.held+100*time.Millisecond) {
					t.Errorf("held for %s, want %s", n.Held, c.held)
				}
				if got := strings.Join(w.ran, " "); c.ran != "" && got != c.ran {
					t.Errorf("hooks %s, want %s", got, c.ran)
				}
			})
		})
	}
}

// hooks gives acme an image with other hooks.
func (w *world) hooks(hooks ...string) {
	w.t.Helper()
	image := w.image
	image.Version, image.Hooks, image.Fingerprint = "6.2-1", hooks, w.lxd.AddImage(fleet.Image{Size: fleet.GiB})
	do(w.t, w.store.InsertImage(w.t.Context(), image))
	w.edit(func(t *fleet.Tenant) { t.Image = image.Ref() })
}

func (w *world) edit(edit func(*fleet.Tenant)) {
	w.t.Helper()
	t, err := w.store.TenantByID(w.t.Context(), w.acme.ID)
	do(w.t, err)
	edit(&t)
	_, err = w.store.UpdateTenant(w.t.Context(), t)
	do(w.t, err)
}

func TestQuiesceChoice(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		w.hooks("personalize")
		if n := w.take("no-hook"); n.Consistency != fleet.ConsistentCrash || !strings.Contains(n.Why, "has no pre-snapshot hook") {
			t.Errorf("%+v", n)
		}
		w.edit(func(t *fleet.Tenant) { t.Image = fleet.ImageRef{} }) // adopted
		if n := w.take("adopted"); n.Consistency != fleet.ConsistentApplication {
			t.Errorf("%+v", n)
		}
		w.setHook(printHook(0, noHook+"\n", ""))
		if n := w.take("adopted-none"); n.Consistency != fleet.ConsistentCrash || !strings.Contains(n.Why, "no pre-snapshot hook") {
			t.Errorf("%+v", n)
		}
		w.edit(func(t *fleet.Tenant) { t.Quiesce = &fleet.Quiesce{By: fleet.QuiesceNone} })
		if n := w.take("none"); n.Consistency != fleet.ConsistentCrash || !strings.Contains(n.Why, "set not to be") {
			t.Errorf("%+v", n)
		}
		w.edit(func(t *fleet.Tenant) { t.Quiesce = &fleet.Quiesce{By: fleet.QuiesceMySQL} })
		if n := w.take("mysql"); n.Consistency != fleet.ConsistentCrash || !strings.Contains(n.Why, fleet.DefaultQuiesceLogin) {
			t.Errorf("%+v", n)
		}
		do(t, w.lxd.LxcStop("acme"))
		time.Sleep(time.Second)
		if n := w.take("stopped"); n.Consistency != fleet.ConsistentApplication || n.Held != 0 {
			t.Errorf("%+v", n)
		}
	})
}

// The hook is told its limit, and the tenant's own goes before the general one.
func TestHookLimit(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		var told []string
		w.setHook(func(ctx context.Context, name string, spec fleet.ExecSpec) (int, error) {
			told = append(told, spec.Env["LXDFLEET_LIMIT"])
			return stillHook(ctx, name, spec)
		})
		w.take("one")
		w.edit(func(t *fleet.Tenant) { t.Quiesce = &fleet.Quiesce{Limit: 12 * time.Second} })
		w.take("two")
		if !slices.Equal(told, []string{"5", "12"}) {
			t.Errorf("told %v", told)
		}
	})
}

// A job that is cancelled while the application is held lets go at once.
func TestCancelledWhileHeld(t *testing.T) {
	bubble(t, lxdfake.Options{}, func(t *testing.T, w *world) {
		let := make(chan time.Time, 1)
		w.setHook(func(ctx context.Context, name string, spec fleet.ExecSpec) (int, error) {
			defer func() { let <- time.Now() }()
			return stillHook(ctx, name, spec)
		})
		w.lxd.Inject(lxdfake.Fault{Method: "EnsureSnapshot", Delay: time.Hour})
		job, err := w.service.Create(t.Context(), "acme", CreateRequest{Name: "one"}, Once{})
		do(t, err)
		time.Sleep(time.Second)
		began := time.Now()
		_, err = w.engine.Cancel(t.Context(), job.ID)
		do(t, err)
		w.want(fleet.JobCancelled, job, nil)
		if took := (<-let).Sub(began); took > time.Second {
			t.Errorf("the application was held for %s more", took)
		}
		if names := w.names(); names != "" {
			t.Errorf("left behind: %s", names)
		}
	})
}

func TestReadLogin(t *testing.T) {
	cfg, err := readLogin(strings.NewReader("# a comment\n[mysqld]\nuser=mysql\n[client]\nuser = backup\npassword = \"s#cret=1\"\nport=3307\n"))
	do(t, err)
	if cfg.User != "backup" || cfg.Passwd != "s#cret=1" || cfg.Addr != "3307" {
		t.Errorf("%+v", cfg)
	}
	for _, text := range []string{"", "[client]\npassword=x\n", "user=x\n", "[client]\n" + strings.Repeat("x", 1<<20)} {
		if _, err := readLogin(strings.NewReader(text)); err == nil {
			t.Errorf("%.20q is taken", text)
		}
	}
}
