package rows

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// history is two writers that took turns; commits gives what they did, and state what a database
// holds that was cut after so many of them.
func history(n int) []Commit {
	var out []Commit
	for i := range n {
		tick := 1 + 2*i
		out = append(out, Commit{Writer: i % 2, Seq: 1 + i/2, Sent: tick, Acked: tick + 1})
	}
	return out
}

func stateOf(commits []Commit) State {
	s := State{Last: map[int]int{}}
	for _, c := range commits {
		for part := range 3 {
			r := Row{Writer: c.Writer, Seq: c.Seq, Part: part, Seen: c.Sent, Payload: fmt.Sprint(c.Seq, part)}
			s.Rows = append(s.Rows, r)
		}
		for i, r := range s.Rows {
			if r.Writer == c.Writer && r.Seq == c.Seq-updateLag && r.Part == 1 {
				s.Rows[i].Version++
			}
		}
		s.Last[c.Writer] = c.Seq
		s.Log = append(s.Log, key{c.Writer, c.Seq})
	}
	for i := range s.Rows {
		s.Rows[i].Sum = s.Rows[i].Reckon()
	}
	return s
}

func without(s State, drop func(Row) bool) State {
	s.Rows = slices.DeleteFunc(slices.Clone(s.Rows), drop)
	return s
}

func TestCheck(t *testing.T) {
	commits := history(40)            // ticks 1 to 80
	cut := Cut{Before: 41, After: 45} // 20 are answered before, 23 are sent
	whole := func() State { return stateOf(commits[:21]) }
	tests := []struct {
		name  string
		state func() State
		want  string // in the error; empty: none
	}{
		{"whole", whole, ""},
		{"cut at the first moment", func() State { return stateOf(commits[:20]) }, ""},
		{"cut at the last moment", func() State { return stateOf(commits[:23]) }, ""},
		{"lost", func() State { return stateOf(commits[:19]) }, "commit 10 of writer 1 is lost"},
		{"empty", func() State { return State{} }, "is lost"},
		{"too new", func() State { return stateOf(commits[:25]) }, "made after the snapshot"},
		{"a hole", func() State {
			return stateOf(append(slices.Clone(commits[:20]), commits[21], commits[22]))
		}, "one that was sent after its answer is there"},
		{"torn", func() State {
			return without(whole(), func(r Row) bool { return r.Writer == 0 && r.Seq == 11 && r.Part == 2 })
		}, "commit 11 of writer 0 is torn: 2 of 3 rows"},
		{"a row twice", func() State {
			s := whole()
			s.Rows = append(s.Rows, s.Rows[7])
			return s
		}, "4 of 3 rows"},
		{"garbled", func() State {
			s := whole()
			s.Rows[5].Payload = "x"
			return s
		}, "checksum is wrong"},
		{"a stranger's row", func() State {
			s := whole()
			s.Rows[5].Seen = 77
			s.Rows[5].Sum = s.Rows[5].Reckon()
			return s
		}, "nobody wrote it"},
		{"change without its commit", func() State {
			s := whole()
			for i, r := range s.Rows {
				if r.Writer == 0 && r.Seq == 7 && r.Part == 1 {
					s.Rows[i].Version = 1
					s.Rows[i].Sum = s.Rows[i].Reckon()
				}
			}
			return s
		}, "changed by one that is not there"},
		{"commit without its change", func() State {
			s := whole()
			for i, r := range s.Rows {
				if r.Version == 1 {
					s.Rows[i].Version = 0
					s.Rows[i].Sum = s.Rows[i].Reckon()
				}
			}
			return s
		}, "without its change"},
		{"counted wrong", func() State {
			s := whole()
			s.Last[1]--
			return s
		}, "counted is 9"},
		{"counted without a commit", func() State {
			s := whole()
			s.Last[7] = 1
			return s
		}, "writer 7 has no commit"},
		{"log lost", func() State {
			s := whole()
			s.Log = s.Log[:10]
			return s
		}, "is not logged"},
		{"log too new", func() State {
			s := whole()
			s.Log = append(s.Log, key{1, 11})
			return s
		}, "is logged, and not there"},
		{"log of the last one not written yet", func() State {
			s := whole()
			s.Log = s.Log[:20]
			return s
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Check(tt.state(), commits, cut)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// Of a tenant that was restored before, what was made since then counts.
func TestCheckSince(t *testing.T) {
	commits := history(40)
	kept := append(slices.Clone(commits[:10]), commits[20:30]...) // brought back at tick 41
	tests := []struct {
		name string
		cut  Cut
		want string
	}{
		{"undone before", Cut{Since: 41, Before: 60, After: 61}, ""},
		{"not undone", Cut{Since: 40, Before: 60, After: 61}, ""},
		{"undone later than told", Cut{Since: 31, Before: 60, After: 61}, "is lost"},
		{"one too few", Cut{Since: 41, Before: 63, After: 65}, "commit 16 of writer 0 is lost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := stateOf(kept)
			s.Log = slices.Delete(s.Log, 9, 10) // the tenant was brought back to just before it
			err := Check(s, commits, tt.cut)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// After a restore writers go on with the numbers they had.
func TestCheckAfterRestore(t *testing.T) {
	commits := history(40)
	cut := Cut{Before: 21, After: 23, Left: 51, Back: 61} // the moment: 10; lost from then to 25; held 26 to 30
	tests := []struct {
		name string
		kept []Commit
		want string
	}{
		{"whole", append(slices.Clone(commits[:10]), commits[28:]...), ""},
		{"held ones were all in time", append(slices.Clone(commits[:10]), commits[25:]...), ""},
		{"held ones were all too early", append(slices.Clone(commits[:10]), commits[31:]...), ""},
		{"one is left from between", append(slices.Clone(commits[:15]), commits[28:]...), "made after the snapshot"},
		{"lost after the restore", append(slices.Clone(commits[:10]), commits[33:]...), "made after the restore"},
		{"lost before the snapshot", append(slices.Clone(commits[:9]), commits[28:]...), "answered before the snapshot"},
		{"not restored at all", commits, "made after the snapshot"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := stateOf(tt.kept)
			for i, r := range s.Rows { // rows.php changes the row that is there
				if _, due := s.Last[r.Writer]; due && r.Part == 1 && r.Seq+updateLag <= s.Last[r.Writer] && r.Version == 0 {
					s.Rows[i].Version = 1
					s.Rows[i].Sum = s.Rows[i].Reckon()
				}
			}
			err := Check(s, commits, cut)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// What is committed while the state is read may be in it or not.
func TestCheckWhileWritersGoOn(t *testing.T) {
	commits := history(40)
	s := stateOf(append(slices.Clone(commits[:10]), commits[31:36]...))
	cut := Cut{Before: 21, After: 23, Left: 51, Back: 61, Looked: 73}
	if err := Check(s, commits, cut); err != nil {
		t.Error(err)
	}
	cut.Looked = 80
	if err := Check(s, commits, cut); err == nil {
		t.Error("a commit that was answered before the state was read is not missed")
	}
}

// A commit without an answer may be there or not.
func TestCheckUnanswered(t *testing.T) {
	commits := history(20)
	commits[5].Acked = 0
	cut := Cut{Before: 41, After: 41}
	for name, kept := range map[string][]Commit{
		"there": commits, "not there": append(slices.Clone(commits[:5]), commits[6:]...),
	} {
		s := stateOf(kept)
		if name == "not there" { // the change went to the row before
			for i, r := range s.Rows {
				if r.Writer == 1 && r.Part == 1 && r.Version == 0 && r.Seq+updateLag <= 10 {
					s.Rows[i].Version = 1
					s.Rows[i].Sum = s.Rows[i].Reckon()
				}
			}
		}
		if err := Check(s, commits, cut); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRead(t *testing.T) {
	s := stateOf(history(12))
	var b strings.Builder
	for _, k := range s.Log {
		fmt.Fprintf(&b, "log\t%d\t%d\n", k.writer, k.seq)
	}
	for _, r := range s.Rows {
		fmt.Fprintf(&b, "row\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", r.Writer, r.Seq, r.Part, r.Seen, r.Version, r.Payload, r.Sum)
	}
	for w, seq := range s.Last {
		fmt.Fprintf(&b, "last\t%d\t%d\n", w, seq)
	}
	if _, err := Read(strings.NewReader(b.String())); err == nil || !strings.Contains(err.Error(), "break off") {
		t.Errorf("a dump without its end: %v", err)
	}
	got, err := Read(strings.NewReader(b.String() + "end\n"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Rows, s.Rows) || !slices.Equal(got.Log, s.Log) || len(got.Last) != 2 {
		t.Errorf("read %+v, want %+v", got, s)
	}
	for _, line := range []string{"row\t1\t2", "row\t1\t2\t3\t4\tx\ty\tz", "other\t1\t2", ""} {
		if _, err := Read(strings.NewReader(line + "\n")); err == nil {
			t.Errorf("%q is read without an error", line)
		}
	}
}
