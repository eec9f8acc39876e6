package jobstest_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/jobstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// town is a world in memory: what a job has made.
type town struct {
	plots, houses []string
	open          bool
}

// build is the state of the example kind, which gets a house built and opened.
type build struct {
	Name  string `json:"name"`
	House string `json:"house,omitempty"`
}

// flaw spoils the example kind in one way.
type flaw string

const (
	sound         flaw = ""
	notIdempotent flaw = "the house is built twice when its step is done twice"
	forgetsUndo   flaw = "the plot is not given back"
	halfUndo      flaw = "the undo trusts in the state, which a failed Do does not write"
	undoOnce      flaw = "an undo fails when there is nothing to undo"
	commitOnce    flaw = "the commit step fails when it is done again"
	notDone       flaw = "the house is never opened"
)

// crew does the work of the example kind.
type crew struct {
	town *town
	flaw flaw
}

func (c crew) kind() jobs.Kind[build] {
	return jobs.Kind[build]{
		Name: "house.build", Version: 1, Commit: "open",
		Steps: []jobs.Step[build]{
			{Name: "name", Do: func(_ context.Context, _ *jobs.Run, b *build) error { b.House = b.Name + "-house"; return nil }},
			{Name: "plot", Do: c.reserve, Undo: c.free},
			{Name: "house", Do: c.raise, Undo: c.tear},
			{Name: "open", Do: c.open},
		},
	}
}

func (c crew) reserve(_ context.Context, _ *jobs.Run, b *build) error {
	if !slices.Contains(c.town.plots, b.Name) {
		c.town.plots = append(c.town.plots, b.Name)
	}
	return nil
}

func (c crew) free(_ context.Context, _ *jobs.Run, b *build) error {
	if c.flaw == forgetsUndo {
		return nil
	}
	if c.flaw == undoOnce && !slices.Contains(c.town.plots, b.Name) {
		return fleet.Errorf(fleet.NotFound, "there is no plot %s", b.Name)
	}
	c.town.plots = slices.DeleteFunc(c.town.plots, func(p string) bool { return p == b.Name })
	return nil
}

func (c crew) raise(_ context.Context, _ *jobs.Run, b *build) error {
	name := b.House
	if c.flaw == halfUndo {
		b.House = "new-" + b.Name
		name = b.House
	}
	if c.flaw == notIdempotent || !slices.Contains(c.town.houses, name) {
		c.town.houses = append(c.town.houses, name)
	}
	return nil
}

func (c crew) tear(_ context.Context, _ *jobs.Run, b *build) error {
	c.town.houses = slices.DeleteFunc(c.town.houses, func(h string) bool { return h == b.House })
	return nil
}

func (c crew) open(context.Context, *jobs.Run, *build) error {
	if c.flaw == commitOnce && c.town.open {
		return fleet.Errorf(fleet.Conflict, "the house is open already")
	}
	c.town.open = c.flaw != notDone
	return nil
}

func scenario(f flaw) jobstest.Scenario {
	return jobstest.Scenario{
		Kind: "house.build", Bubble: true,
		New: func(t *testing.T) jobstest.World {
			t.Helper()
			c := crew{town: &town{}, flaw: f}
			reg := jobs.NewRegistry()
			if err := jobs.Register(reg, c.kind()); err != nil {
				t.Fatal(err)
			}
			return jobstest.World{
				Store: jobstest.NewMemory(), Registry: reg,
				Submit: func() jobs.Request {
					return jobs.Request{Kind: "house.build", Subject: "house/oak", Args: build{Name: "oak"}}
				},
				CheckDone: func(t *testing.T) {
					t.Helper()
					if len(c.town.plots) != 1 || len(c.town.houses) != 1 || !c.town.open {
						t.Errorf("the job did not do its work right: %+v", c.town)
					}
				},
				CheckUndone: func(t *testing.T) {
					t.Helper()
					if len(c.town.plots) != 0 || len(c.town.houses) != 0 || c.town.open {
						t.Errorf("something is left behind: %+v", c.town)
					}
				},
			}
		},
	}
}

// generic are the generic tests by name, with how many cases each has for the example kind.
var generic = map[string]struct {
	test  func(*testing.T, jobstest.Scenario)
	cases int
}{
	"repeat": {jobstest.RepeatEachStep, 5},
	"fail":   {jobstest.FailEachStep, 3*3 + 1},
	"resume": {jobstest.ResumeEachEvent, 10 + 15 + 8},
}

// TestGeneric: the generic tests pass for a sound kind.
func TestGeneric(t *testing.T) {
	for name, g := range generic {
		t.Run(name, func(t *testing.T) { g.test(t, scenario(sound)) })
	}
}

// brokenEnv has TestBroken run a generic test on a broken kind: "resume/the plot is …".
const brokenEnv = "JOBSTEST_BROKEN"

// TestBroken is run by TestGenericFinds in a process of its own, where it is to fail.
func TestBroken(t *testing.T) {
	if name, f, ok := strings.Cut(os.Getenv(brokenEnv), "/"); ok {
		generic[name].test(t, scenario(flaw(f)))
	}
}

// TestGenericFinds: each flaw is found by the generic tests that look for it, and by no others.
func TestGenericFinds(t *testing.T) {
	for _, c := range []struct {
		flaw flaw
		by   []string
		says string // what a test that fails says
	}{
		{sound, nil, ""},
		{notIdempotent, []string{"repeat", "resume"}, "the job did not do its work right"},
		{forgetsUndo, []string{"fail", "resume"}, "something is left behind"},
		{halfUndo, []string{"fail", "resume"}, "something is left behind"},
		{undoOnce, []string{"fail", "resume"}, "there is no plot oak"},
		{commitOnce, []string{"repeat", "fail", "resume"}, "the house is open already"},
		{notDone, []string{"repeat", "fail", "resume"}, "the job did not do its work right"},
	} {
		for name, g := range generic {
			t.Run(name+"/"+string(c.flaw), func(t *testing.T) {
				t.Parallel()
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$", "-test.v")
				cmd.Env = append(os.Environ(), brokenEnv+"="+name+"/"+string(c.flaw))
				out, err := cmd.CombinedOutput()
				found := err != nil
				if want := slices.Contains(c.by, name); found != want {
					t.Fatalf("found: %v, want %v\n%s", found, want, out)
				}
				if found && (!strings.Contains(string(out), c.says) || strings.Contains(string(out), "panic:")) {
					t.Errorf("the test does not say %q:\n%s", c.says, out)
				}
				if got := strings.Count(string(out), "--- PASS: TestBroken/"); c.flaw == sound && got < g.cases {
					t.Errorf("%d cases, want %d or more\n%s", got, g.cases, out)
				}
			})
		}
	}
}

// TestCover: a kind without a scenario is named.
func TestCover(t *testing.T) {
	reg := scenario(sound).New(t).Registry
	jobstest.Cover(t, reg, []jobstest.Scenario{scenario(sound)})
	name := os.Getenv(brokenEnv)
	if name == "cover" {
		jobstest.Cover(t, reg, []jobstest.Scenario{{Kind: "another"}})
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCover$")
	cmd.Env = append(os.Environ(), brokenEnv+"=cover")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "job kind house.build has no scenario") {
		t.Errorf("Cover with a kind that has no scenario: %v\n%s", err, out)
	}
}
