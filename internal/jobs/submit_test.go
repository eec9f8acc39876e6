package jobs_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

func TestSubmitRefuses(t *testing.T) {
	s := newScene(t, "")
	e := s.engine()
	for name, c := range map[string]struct {
		request jobs.Request
		code    fleet.Code
	}{
		"kind":    {jobs.Request{Kind: "nothing", Subject: "x"}, fleet.Unsupported},
		"subject": {jobs.Request{Kind: "work"}, fleet.Invalid},
		"args":    {jobs.Request{Kind: "work", Subject: "x", Args: map[string]int{"did": 1}}, fleet.Invalid},
		"no JSON": {jobs.Request{Kind: "work", Subject: "x", Args: func() {}}, fleet.Invalid},
	} {
		_, err := e.Submit(t.Context(), c.request)
		s.wantCode(name, err, c.code)
	}
	list, err := e.List(t.Context(), jobs.JobFilter{})
	s.ok(err)
	if len(list) != 0 {
		t.Errorf("jobs were stored: %+v", list)
	}
}

// TestKey: a repeat of a request finds its job, before and after the end of it.
func TestKey(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		e := s.engine()
		_, err := e.ByKey(s.Context(), "k", "h")
		s.wantCode("by key before", err, fleet.NotFound)
		request := jobs.Request{Kind: "work", Subject: "x", Key: "k", KeyHash: "h"}
		first, err := e.Submit(s.Context(), request)
		s.ok(err)
		repeat := func() {
			s.Helper()
			for name, f := range map[string]func(hash string) (fleet.Job, error){
				"submit": func(hash string) (fleet.Job, error) {
					again := request
					again.KeyHash = hash
					return e.Submit(s.Context(), again)
				},
				"by key": func(hash string) (fleet.Job, error) { return e.ByKey(s.Context(), "k", hash) },
			} {
				job, err := f("h")
				s.ok(err)
				s.want(name, job.ID, first.ID)
				_, err = f("other")
				s.wantCode(name, err, fleet.Conflict)
			}
		}
		repeat()
		s.ends(s.start(), first.ID, fleet.JobDone)
		repeat()
		s.want("acts", s.did(), "a b c")
		plain, err := e.Submit(s.Context(), jobs.Request{Kind: "work", Subject: "x"})
		s.ok(err)
		_, err = e.ByKey(s.Context(), "", "")
		s.wantCode("by no key", err, fleet.NotFound)
		s.ends(e, plain.ID, fleet.JobDone)
	})
}

func TestBusy(t *testing.T) {
	s := newScene(t, "")
	e := s.engine()
	id := s.submit(e)
	_, err := e.Submit(t.Context(), jobs.Request{Kind: "work", Subject: "tenant/acme"})
	s.wantCode("second job", err, fleet.Busy)
	if err != nil && !strings.Contains(err.Error(), id) {
		t.Errorf("%v does not name the other job", err)
	}
}

// TestVersions: new jobs get the newest version, older ones are ended by theirs.
func TestVersions(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		e := s.engine()
		old := s.submit(e)
		s.register("work", 2, "a")
		job, err := e.Submit(s.Context(), jobs.Request{Kind: "work", Subject: "other"})
		s.ok(err)
		if job.KindVersion != 2 {
			s.Errorf("version %d", job.KindVersion)
		}
		s.on("c", times(2, fail))
		e = s.start()
		s.ends(e, old, fleet.JobUndone)  // version 1 can be undone
		s.ends(e, job.ID, fleet.JobDone) // version 2 cannot
		if kinds := e.Kinds(); len(kinds) != 1 || kinds[0].Version != 2 || kinds[0].Commit != "a" {
			s.Errorf("kinds %+v", kinds)
		}
	})
}

// TestPrune: an hourly round removes what ended long ago.
func TestPrune(t *testing.T) {
	inBubble(t, "", func(s *scene) {
		keep := s.engine(func(o *jobs.Options) { o.Retention = -1 })
		e := s.start(func(o *jobs.Options) { o.PollInterval = time.Hour })
		id := s.submit(e)
		s.ends(e, id, fleet.JobDone)
		time.Sleep(30 * 24 * time.Hour)
		_, err := e.Job(s.Context(), id)
		s.ok(err)
		for _, c := range []struct {
			e    *jobs.Engine
			want int
		}{{keep, 0}, {e, 0}} {
			if n, err := c.e.Prune(s.Context()); err != nil || n != c.want {
				s.Errorf("pruned %d, %v; want %d", n, err, c.want)
			}
		}
		time.Sleep(2 * time.Hour)
		_, err = e.Job(s.Context(), id)
		s.wantCode("read a job that ended 30 days ago", err, fleet.NotFound)
	})
}

func TestRegisterRefuses(t *testing.T) {
	do := func(context.Context, *jobs.Run, *work) error { return nil }
	good := func() jobs.Kind[work] {
		return jobs.Kind[work]{Name: "k", Version: 1, Commit: "b", Steps: []jobs.Step[work]{{Name: "a", Do: do, Undo: do}, {Name: "b", Do: do}}}
	}
	for name, c := range map[string]struct {
		spoil func(k *jobs.Kind[work])
		want  string
	}{
		"no name":          {func(k *jobs.Kind[work]) { k.Name = "" }, "no name for a job kind"},
		"odd name":         {func(k *jobs.Kind[work]) { k.Name = "a b" }, "no name for a job kind"},
		"no steps":         {func(k *jobs.Kind[work]) { k.Steps = nil }, "no steps"},
		"step of no name":  {func(k *jobs.Kind[work]) { k.Steps[0].Name = "" }, "step 1"},
		"two of one name":  {func(k *jobs.Kind[work]) { k.Steps[1].Name = "a" }, "none of its steps"},
		"same name":        {func(k *jobs.Kind[work]) { k.Steps[1].Name, k.Commit = "a", "" }, "two steps"},
		"no do":            {func(k *jobs.Kind[work]) { k.Steps[0].Do = nil }, "does nothing"},
		"unknown commit":   {func(k *jobs.Kind[work]) { k.Commit = "z" }, "none of its steps"},
		"undo past commit": {func(k *jobs.Kind[work]) { k.Commit = "a" }, "can never run"},
		"twice":            {func(*jobs.Kind[work]) {}, "registered twice"},
	} {
		t.Run(name, func(t *testing.T) {
			reg := jobs.NewRegistry()
			if err := jobs.Register(reg, good()); err != nil {
				t.Fatal(err)
			}
			bad := good()
			c.spoil(&bad)
			err := jobs.Register(reg, bad)
			if fleet.CodeOf(err) != fleet.Internal || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
