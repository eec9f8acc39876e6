package rows

import (
	"errors"
	"fmt"
)

// Cut tells, in ticks, where a tenant's state comes from.
type Cut struct {
	// Before and After lie around the moment whose state it is.
	Before, After int
	// Since is when the tenant was last brought back to an earlier state: what was sent before
	// may be there or not.
	Since int
	// Left and Back lie around the restore, where the writers went on in the restored tenant; 0
	// where nobody has written to it since.
	Left, Back int
	// Looked is when the state began to be read, where writers still went on; 0: they did not.
	Looked int
}

func (c Cut) resumed() bool { return c.Back != 0 }

// errorsShown bounds what Check tells: one lost table would tell thousands.
const errorsShown = 20

// Check proves that a state is what a cut through the commits must have left, and tells what is
// lost, torn or too new.
func Check(s State, commits []Commit, cut Cut) error {
	c := &check{state: s, commits: commits, cut: cut, known: map[key]Commit{}, rows: map[key][]Row{}}
	for _, commit := range commits {
		c.known[key{commit.Writer, commit.Seq}] = commit
	}
	for _, r := range s.Rows {
		c.rows[r.key()] = append(c.rows[r.key()], r)
	}
	c.checkRows()
	c.checkWhole()
	c.checkPresence()
	c.checkUpdates()
	c.checkLast()
	c.checkLog()
	if n := len(c.wrong); n > errorsShown {
		c.wrong = append(c.wrong[:errorsShown], fmt.Errorf("and %d more", n-errorsShown))
	}
	return errors.Join(c.wrong...)
}

type key struct{ writer, seq int }

type check struct {
	state   State
	commits []Commit
	cut     Cut
	known   map[key]Commit
	rows    map[key][]Row
	wrong   []error
}

func (c *check) say(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Errorf(format, args...))
}

// checkRows: each row is as it was written, and somebody wrote it.
func (c *check) checkRows() {
	for _, r := range c.state.Rows {
		commit, known := c.known[r.key()]
		switch {
		case r.Sum != r.Reckon():
			c.say("row %d of commit %d of writer %d: its checksum is wrong", r.Part, r.Seq, r.Writer)
		case !known || commit.Sent != r.Seen:
			c.say("row %d of commit %d of writer %d: nobody wrote it", r.Part, r.Seq, r.Writer)
		}
	}
}

// checkWhole: of each transaction all three rows are there.
func (c *check) checkWhole() {
	for k, rows := range c.rows {
		seen := [3]bool{}
		for _, r := range rows {
			if r.Part >= 0 && r.Part < len(seen) {
				seen[r.Part] = true
			}
		}
		if len(rows) != len(seen) || seen != [3]bool{true, true, true} {
			c.say("commit %d of writer %d is torn: %d of %d rows", k.seq, k.writer, len(rows), len(seen))
		}
	}
}

// checkPresence: what was answered before the moment is there, what was sent after it is not;
// whoever is there brings along all that was answered before it was sent.
func (c *check) checkPresence() {
	newest := 0
	for k := range c.rows {
		commit := c.known[k]
		if commit.Sent <= c.cut.After && (!c.cut.resumed() || commit.Acked != 0 && commit.Acked < c.cut.Left) {
			newest = max(newest, commit.Sent)
		}
	}
	for _, commit := range c.commits {
		_, there := c.rows[key{commit.Writer, commit.Seq}]
		acked := commit.Acked != 0 && commit.Sent >= c.cut.Since
		switch {
		case !there && acked && commit.Acked < c.cut.Before:
			c.say("commit %d of writer %d is lost: it was answered before the snapshot", commit.Seq, commit.Writer)
		case !there && acked && commit.Acked < newest:
			c.say("commit %d of writer %d is lost: one that was sent after its answer is there", commit.Seq, commit.Writer)
		case !there && acked && c.cut.resumed() && commit.Sent > c.cut.Back && (c.cut.Looked == 0 || commit.Acked < c.cut.Looked):
			c.say("commit %d of writer %d is lost: it was made after the restore", commit.Seq, commit.Writer)
		case there && c.tooNew(commit):
			c.say("commit %d of writer %d was made after the snapshot, and is there", commit.Seq, commit.Writer)
		}
	}
}

// tooNew: sent after the moment, and not to the restored tenant.
func (c *check) tooNew(commit Commit) bool {
	if commit.Sent <= c.cut.After {
		return false
	}
	return !c.cut.resumed() || commit.Acked != 0 && commit.Acked < c.cut.Left
}

// updateLag is how many commits later rows.php changes a row.
const updateLag = 5

// checkUpdates: the change of an older row belongs to the transaction that made it.
func (c *check) checkUpdates() {
	for k, rows := range c.rows {
		_, due := c.rows[key{k.writer, k.seq + updateLag}]
		for _, r := range rows {
			switch {
			case r.Part == 1 && due && r.Version == 0:
				c.say("commit %d of writer %d is there without its change of commit %d", k.seq+updateLag, k.writer, k.seq)
			case r.Version > 0 && c.state.Last[k.writer] < k.seq+updateLag:
				c.say("commit %d of writer %d is changed by one that is not there", k.seq, k.writer)
			}
		}
	}
}

// checkLast: what a writer counted up in its transactions is its last one.
func (c *check) checkLast() {
	last := map[int]int{}
	for k := range c.rows {
		last[k.writer] = max(last[k.writer], k.seq)
	}
	for writer, seq := range last {
		if got := c.state.Last[writer]; got != seq {
			c.say("writer %d: its last commit is %d, and counted is %d", writer, seq, got)
		}
	}
	for writer, seq := range c.state.Last {
		if last[writer] == 0 {
			c.say("writer %d has no commit, and counted is %d", writer, seq)
		}
	}
}

// checkLog: the table without transactions is written after each commit, so it has no more than
// the commits, and no less than those that were answered.
func (c *check) checkLog() {
	logged := map[key]bool{}
	for _, k := range c.state.Log {
		logged[k] = true
		if _, there := c.rows[k]; !there {
			c.say("commit %d of writer %d is logged, and not there", k.seq, k.writer)
		}
	}
	for k := range c.rows {
		commit := c.known[k]
		if commit.Acked != 0 && commit.Acked < c.cut.Before && commit.Sent >= c.cut.Since && !logged[k] {
			c.say("commit %d of writer %d is not logged, and was answered before the snapshot", k.seq, k.writer)
		}
	}
}
