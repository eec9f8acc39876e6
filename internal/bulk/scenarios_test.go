package bulk

import (
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
	"github.com/lxdfleet/lxdfleet/internal/jobs/jobstest"
)

func scenario() jobstest.Scenario {
	return jobstest.Scenario{Kind: Kind, Bubble: true, New: func(t *testing.T) jobstest.World {
		w := newWorld(t, tenant("acme"), tenant("globex"), tenant("hooli"))
		return jobstest.World{
			Store: w.store, Registry: w.registry,
			Submit: func() jobs.Request {
				return jobs.Request{Kind: Kind, Subject: "bulk/x", Args: state{
					Request: Request{Action: Restart, AtOnce: 2}, Tenants: []string{"acme", "globex", "hooli"},
				}}
			},
			CheckDone: func(t *testing.T) {
				t.Helper()
				parts := w.parts(t, "")
				for _, name := range []string{"acme", "globex", "hooli"} {
					if parts[name] != fleet.JobDone {
						t.Errorf("the jobs are %v", parts)
					}
				}
			},
			// Whatever was begun is finished, and nothing was done twice.
			CheckUndone: func(t *testing.T) {
				t.Helper()
				for name, state := range w.parts(t, "") {
					if state != fleet.JobDone {
						t.Errorf("the job of %s is %s", name, state)
					}
				}
			},
		}
	}}
}

func TestRepeatEachStep(t *testing.T) { jobstest.RepeatEachStep(t, scenario()) }

func TestFailEachStep(t *testing.T) { jobstest.FailEachStep(t, scenario()) }

func TestResumeEachEvent(t *testing.T) { jobstest.ResumeEachEvent(t, scenario()) }

func TestEveryKindHasAScenario(t *testing.T) {
	registry := jobs.NewRegistry()
	do(t, Register(registry, Deps{}))
	jobstest.Cover(t, registry, []jobstest.Scenario{scenario()})
}
