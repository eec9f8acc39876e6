package setup_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
	"github.com/lxdfleet/lxdfleet/internal/setup"
	"github.com/lxdfleet/lxdfleet/profiles"
)

func options() setup.Options {
	return setup.Options{
		Project: "lxdfleet", Profiles: profiles.FS,
		Missing: func(fleet.Server) []string { return nil },
	}
}

func initialise(t *testing.T, lxd setup.LXD, opts setup.Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := setup.Init(t.Context(), lxd, opts, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func profile(t *testing.T, lxd setup.LXD, name string) fleet.ProfileSpec {
	t.Helper()
	all, err := lxd.Profiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no profile %s", name)
	return fleet.ProfileSpec{}
}

func TestInitMakesProjectAndPlans(t *testing.T) {
	lxd := lxdfake.New(lxdfake.Options{Bare: true, Members: []string{"n1", "n2"}})
	out := initialise(t, lxd, options())
	for _, want := range []string{"project  lxdfleet         created", "profile  small            created", "member   n2               online"} {
		if !strings.Contains(out, want) {
			t.Errorf("Init did not say %q:\n%s", want, out)
		}
	}
	if root := profile(t, lxd, "small").Devices["root"]; root["pool"] != "default" || root["size"] != "10GiB" {
		t.Errorf("root disk of small: %v", root)
	}
	if nic := profile(t, lxd, "default").Devices["eth0"]; nic["network"] != "lxdbr0" {
		t.Errorf("eth0 of default: %v", nic)
	}
}

func TestInitTwiceChangesNothing(t *testing.T) {
	lxd := lxdfake.New(lxdfake.Options{Bare: true})
	initialise(t, lxd, options())
	out := initialise(t, lxd, options())
	if strings.Contains(out, "created") || strings.Contains(out, "updated") {
		t.Errorf("second Init changed something:\n%s", out)
	}
}

func TestInitKeepsSnapshotsOutOfQuotas(t *testing.T) {
	const key = "volume.zfs.use_refquota"
	for _, tt := range []struct {
		name, driver, before, after, says string
		finding                           setup.State
	}{
		{"zfs", "zfs", "", "true", "updated: snapshots do not count", setup.OK},
		{"zfs with it", "zfs", "true", "true", "", setup.OK},
		{"zfs with an operator who wants it otherwise", "zfs", "false", "false", "kept: " + key, setup.Warn},
		{"btrfs", "btrfs", "", "", "", setup.OK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lxd := lxdfake.New(lxdfake.Options{Bare: true, Driver: tt.driver})
			if _, err := lxd.EnsurePoolConfig(t.Context(), "default", map[string]string{key: tt.before}); err != nil {
				t.Fatal(err)
			}
			out := initialise(t, lxd, options())
			if !strings.Contains(out, tt.says) || tt.says == "" && strings.Contains(out, key) {
				t.Errorf("Init says\n%s\nwant %q", out, tt.says)
			}
			pools, err := lxd.Pools(t.Context())
			if err != nil || pools[0].Config[key] != tt.after {
				t.Errorf("%s is %q, want %q (%v)", key, pools[0].Config[key], tt.after, err)
			}
			findings := setup.Doctor(t.Context(), func(context.Context) (setup.LXD, error) { return lxd, nil }, options())
			for _, f := range findings {
				if f.Check == "pool" && f.State != tt.finding {
					t.Errorf("doctor finds %+v, want %v", f, tt.finding)
				}
			}
		})
	}
}

func TestInitKeepsAnOperatorsProfile(t *testing.T) {
	lxd := lxdfake.New(lxdfake.Options{Bare: true})
	initialise(t, lxd, options())
	small := profile(t, lxd, "small")
	small.Config["limits.memory"] = "3GiB"
	if _, err := lxd.EnsureProfile(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	if out := initialise(t, lxd, options()); !strings.Contains(out, "kept: it differs") {
		t.Errorf("Init does not say that it kept small:\n%s", out)
	}
	if got := profile(t, lxd, "small").Config["limits.memory"]; got != "3GiB" {
		t.Errorf("Init overwrote an operator's profile: memory %s", got)
	}
	reset := options()
	reset.ResetProfiles = true
	initialise(t, lxd, reset)
	if got := profile(t, lxd, "small").Config["limits.memory"]; got != "1GiB" {
		t.Errorf("--reset-profiles left memory %s", got)
	}
}

func TestInitSaysWhatToMend(t *testing.T) {
	tests := []struct {
		name string
		opts func(*setup.Options)
		code fleet.Code
		says string
	}{
		{"unknown pool", func(o *setup.Options) { o.Pool = "nope" }, fleet.Invalid, "it has: default"},
		{"unknown network", func(o *setup.Options) { o.Network = "nope" }, fleet.Invalid, "it has: lxdbr0"},
		{"old LXD", func(o *setup.Options) {
			o.Missing = func(fleet.Server) []string { return []string{"projects"} }
		}, fleet.Unsupported, "install LXD 5.0 or newer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opts := options()
			tt.opts(&opts)
			err := setup.Init(t.Context(), lxdfake.New(lxdfake.Options{Bare: true}), opts, &bytes.Buffer{})
			if fleet.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Init: %v; want %s that says %q", err, tt.code, tt.says)
			}
		})
	}
}

func TestDoctor(t *testing.T) {
	healthy := func(t *testing.T) *lxdfake.LXD {
		lxd := lxdfake.New(lxdfake.Options{Bare: true, Members: []string{"n1", "n2"}})
		initialise(t, lxd, options())
		return lxd
	}
	tests := []struct {
		name  string
		lxd   func(t *testing.T) setup.LXD
		check string
		state setup.State
	}{
		{"all well", func(t *testing.T) setup.LXD { return healthy(t) }, "pool", setup.OK},
		{"not initialised", func(*testing.T) setup.LXD { return lxdfake.New(lxdfake.Options{Bare: true}) }, "project", setup.Fail},
		{"profile without disk", func(*testing.T) setup.LXD { return lxdfake.New(lxdfake.Options{}) }, "profiles", setup.Fail},
		{"member offline", func(t *testing.T) setup.LXD {
			lxd := healthy(t)
			lxd.SetOnline("n2", false)
			return lxd
		}, "member n2", setup.Fail},
		{"pool full", func(t *testing.T) setup.LXD {
			lxd := healthy(t)
			lxd.SetPoolFull("n1", true)
			return lxd
		}, "member n1", setup.Warn},
		{"LXD down", func(t *testing.T) setup.LXD {
			lxd := healthy(t)
			lxd.SetDown(true)
			return lxd
		}, "lxd", setup.Fail},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lxd := tt.lxd(t)
			findings := setup.Doctor(t.Context(), func(context.Context) (setup.LXD, error) { return lxd, nil }, options())
			for _, f := range findings {
				if f.State != setup.OK && f.Hint == "" {
					t.Errorf("%s: %s has no hint", f.Check, f.Message)
				}
				if f.Check == tt.check {
					if f.State != tt.state {
						t.Errorf("%s: %s (%s), want %s", f.Check, f.State, f.Message, tt.state)
					}
					return
				}
			}
			t.Errorf("no finding about %q in %+v", tt.check, findings)
		})
	}
}
