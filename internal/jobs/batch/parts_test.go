package batch

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestParts(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	later := now.Add(10 * time.Hour)
	wrote := func(states ...string) (events []fleet.JobEvent) {
		for _, s := range states {
			events = append(events, fleet.JobEvent{Type: fleet.EventDone, State: json.RawMessage(s)}, fleet.JobEvent{Type: fleet.EventOutput, Message: "x"})
		}
		return events
	}
	part := func(tenant string, state fleet.JobState, notBefore time.Time) fleet.Job {
		return fleet.Job{ID: "job-" + tenant, Key: "b/" + tenant, State: state, NotBefore: notBefore, Error: "it broke"}
	}
	for name, c := range map[string]struct {
		args   string
		events []fleet.JobEvent
		begun  []fleet.Job
		want   []Part
	}{
		"not begun": {args: `{"action":"restart","tenants":["b","a"]}`, want: []Part{{Tenant: "a", State: NotBegun}, {Tenant: "b", State: NotBegun}}},
		"under way": {
			args:  `{"tenants":["a","b","c","d"]}`,
			begun: []fleet.Job{part("a", fleet.JobDone, time.Time{}), part("b", fleet.JobRunning, later), part("c", fleet.JobUndone, time.Time{}), {Key: "other/x"}},
			want: []Part{
				{Tenant: "a", State: Done, Job: "job-a"},
				{Tenant: "b", State: UnderWay, Job: "job-b"},
				{Tenant: "c", State: Failed, Job: "job-c", Why: "job job-c is undone: it broke"},
				{Tenant: "d", State: NotBegun},
			},
		},
		"ended": {
			args:   `{"tenants":["a","b","c"]}`,
			events: wrote(`{"tenants":["a","b","c"],"outcomes":{"a":{"job":"job-a","done":true},"b":{"why":"tenant b is stopped"},"c":{}}}`),
			begun:  []fleet.Job{part("a", fleet.JobDone, time.Time{})},
			want:   []Part{{Tenant: "a", State: Done, Job: "job-a"}, {Tenant: "b", State: Failed, Why: "tenant b is stopped"}, {Tenant: "c", State: Gone}},
		},
		"ended so long ago that the tenants' jobs are gone": {
			events: wrote(`{"tenants":["a"],"outcomes":{"a":{"job":"job-a","done":true}}}`),
			want:   []Part{{Tenant: "a", State: Done, Job: "job-a"}},
		},
		"planned": {
			events: wrote(`{"tenants":["a","b"],"outcomes":{"a":{"job":"job-a","done":true,"at":"2026-11-22T22:00:00Z"},"b":{"job":"job-b","done":true,"at":"2026-11-22T11:00:00Z"}}}`),
			begun:  []fleet.Job{part("a", fleet.JobQueued, later), part("b", fleet.JobRunning, now)},
			want:   []Part{{Tenant: "a", State: Waiting, Job: "job-a", At: later}, {Tenant: "b", State: UnderWay, Job: "job-b"}},
		},
		"a drain of an earlier version": {
			args:   `{"member":"n1","at_once":2}`,
			events: wrote(`{"member":"n1"}`, `{"member":"n1","at_once":2,"moved":["a"],"left":{"c":"has no room"}}`),
			begun:  []fleet.Job{part("a", fleet.JobDone, time.Time{}), part("b", fleet.JobUndone, time.Time{})},
			want: []Part{
				{Tenant: "a", State: Done, Job: "job-a"},
				{Tenant: "b", State: Failed, Job: "job-b", Why: "job job-b is undone: it broke"},
				{Tenant: "c", State: Failed, Why: "has no room"},
			},
		},
		"one that nobody can read": {args: `{"tenants":"a"}`, events: wrote(`{"outcomes":[]}`), begun: []fleet.Job{part("a", fleet.JobDone, time.Time{})}, want: []Part{{Tenant: "a", State: Done, Job: "job-a"}}},
		"one without arguments":    {want: []Part{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Parts(fleet.Job{ID: "b", Args: json.RawMessage(c.args)}, c.events, c.begun, now)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
		})
	}
}
