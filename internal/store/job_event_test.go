package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func testEvents(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	job := claimed(t, s, 1)
	full := fleet.JobEvent{
		Step: "clone", Type: fleet.EventDone, State: json.RawMessage(`{"member":"n1","note":"ü"}`), Message: "fertig 🏁",
		Percent: 100, Bytes: 1 << 40, At: at(5),
	}
	bytesOnly := fleet.JobEvent{Type: fleet.EventOutput, Message: "a\x00b\xffc", At: at(6)}
	given := []fleet.JobEvent{full, bytesOnly, {Type: fleet.EventProgress, Seq: 77, JobID: "x", At: at(7)}}
	stored := must(s.AppendEvents(ctx, job.ID, job.LeaseEpoch, given))(t)
	for i := range stored {
		given[i].JobID, given[i].Seq = job.ID, int64(i+1)
	}
	given[1].Message = "a\x00b\uFFFDc"
	same(t, "returned", stored, given)
	same(t, "stored", must(s.JobEvents(ctx, job.ID, 0, 0))(t), given)
	same(t, "job is updated", must(s.Job(ctx, job.ID))(t).UpdatedAt, at(7))

	finish(t, s, job, fleet.JobRunning, 8)
	more := must(s.AppendEvents(ctx, job.ID, job.LeaseEpoch, []fleet.JobEvent{full}))(t)
	same(t, "next number", more[0].Seq, int64(5))
	seqs := func(after int64, limit int) (list []int64) {
		for _, e := range must(s.JobEvents(ctx, job.ID, after, limit))(t) {
			list = append(list, e.Seq)
		}
		return list
	}
	same(t, "after", seqs(3, 0), []int64{4, 5})
	same(t, "after and limit", seqs(1, 2), []int64{2, 3})
	same(t, "after the last", len(seqs(5, 0)), 0)
	same(t, "no events", len(must(s.AppendEvents(ctx, job.ID, job.LeaseEpoch, nil))(t)), 0)
	same(t, "no job", len(must(s.JobEvents(ctx, "none", 0, 0))(t)), 0)
	_, err := s.AppendEvents(ctx, "none", 1, given)
	fails(t, err, fleet.NotFound, "")
}

// Writers of one job, such as a step's progress and its output, never share a number.
func testEventsConcurrent(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	job := claimed(t, s, 1)
	const writers, rounds = 8, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			last := int64(0)
			for r := range rounds {
				events := []fleet.JobEvent{
					{Type: fleet.EventOutput, Message: fmt.Sprint(w, r, "a"), At: at(r)},
					{Type: fleet.EventOutput, Message: fmt.Sprint(w, r, "b"), At: at(r)},
				}
				stored, err := s.AppendEvents(ctx, job.ID, job.LeaseEpoch, events)
				if err != nil {
					t.Error(err)
					return
				}
				if stored[0].Seq <= last || stored[1].Seq != stored[0].Seq+1 {
					t.Errorf("numbers %d, %d after %d", stored[0].Seq, stored[1].Seq, last)
				}
				last = stored[1].Seq
			}
		})
	}
	wg.Wait()
	events := must(s.JobEvents(ctx, job.ID, 0, 0))(t)
	same(t, "events", len(events), writers*rounds*2)
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d has number %d", i+1, e.Seq)
		}
	}
}

func testEventsLarge(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	job := claimed(t, s, 1)
	var given []fleet.JobEvent
	for i := range 350 {
		given = append(given, fleet.JobEvent{Type: fleet.EventOutput, Message: fmt.Sprint("line ", i), At: at(i)})
	}
	for range 3 {
		given = append(given, fleet.JobEvent{Type: fleet.EventOutput, Message: strings.Repeat("'x", 1<<20), At: at(400)})
	}
	must(s.AppendEvents(ctx, job.ID, job.LeaseEpoch, given))(t)
	got := must(s.JobEvents(ctx, job.ID, 0, 0))(t)
	same(t, "events", len(got), len(given))
	for i := range got {
		if got[i].Message != given[i].Message || got[i].Seq != int64(i+1) {
			t.Fatalf("event %d came back changed", i)
		}
	}
}

func benchmarkAppendEvents(b *testing.B, db database) {
	s, ctx := open(b, db), b.Context()
	_, _, err := s.InsertJob(ctx, aJob(1, "tenant/acme"))
	ok(b, err)
	job, _, err := s.ClaimJob(ctx, "runner", at(1), at(60))
	ok(b, err)
	events := []fleet.JobEvent{{Step: "clone", Type: fleet.EventDone, State: json.RawMessage(`{"member":"n1"}`), At: at(2)}}
	for b.Loop() {
		must(s.AppendEvents(ctx, job.ID, job.LeaseEpoch, events))(b)
	}
}

func benchmarkClaimIdle(b *testing.B, db database) {
	s, ctx := open(b, db), b.Context()
	for n := range 2000 {
		_, _, err := s.InsertJob(ctx, aJob(n, fmt.Sprint("tenant/t", n)))
		ok(b, err)
	}
	_, err := s.writer.ExecContext(ctx, `UPDATE jobs SET state = 'done', active_subject = NULL WHERE id > 'job-00020'`)
	ok(b, err)
	_, err = s.writer.ExecContext(ctx, `UPDATE jobs SET lease_until = ? WHERE id <= 'job-00020'`, micros(at(9999)))
	ok(b, err)
	for b.Loop() {
		if _, found, err := s.ClaimJob(ctx, "runner", at(5000), at(5060)); found || err != nil {
			b.Fatal(found, err)
		}
	}
}
