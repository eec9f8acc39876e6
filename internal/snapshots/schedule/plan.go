package schedule

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Item is something to be done again and again: a tenant's snapshots, backups or drills.
type Item struct {
	ID     string // the tenant's
	Member string // whose load it is
	Rule   Rule
	// Last is how far Rule was followed: the moment of the last run, or of the first look.
	// LastRule is the rule that was followed then; another one begins anew.
	Last     time.Time
	LastRule string
}

// Rule is when.
type Rule struct {
	Cron string
	Zone string
}

func (r Rule) String() string { return r.Cron + " " + r.Zone }

// Run is an item that is due.
type Run struct {
	ID, Member string
	// At is the time it was due: the first of those that were missed.
	At time.Time
}

// Tick is what is to be done at one moment.
type Tick struct {
	// Run are to be begun now, the longest due first.
	Run []Run
	// Waiting is how many more are due but have no room on their member.
	Waiting int
	// Begin are the IDs of items to be noted as followed from now on, without a run.
	Begin []string
	// Broken tells of items whose rule cannot be read, by ID.
	Broken map[string]error
	// Next is when the next item will be due; zero: none will.
	Next time.Time
}

// ahead is how far in the future a last run may be before the clock is taken to have been wrong.
const ahead = time.Hour

// Planner plans ticks. It keeps what it parsed, by text. It is not safe for concurrent use.
type Planner struct {
	crons map[string]parsed
	zones map[string]place
}

type parsed struct {
	cron Cron
	err  error
}

type place struct {
	zone *time.Location
	err  error
}

// mostTexts bounds what a Planner keeps.
const mostTexts = 10_000

// Rule parses a rule; fleet.Invalid.
func (p *Planner) Rule(r Rule) (Cron, *time.Location, error) {
	if p.crons == nil || len(p.crons)+len(p.zones) > mostTexts {
		p.crons, p.zones = map[string]parsed{}, map[string]place{}
	}
	c, ok := p.crons[r.Cron]
	if !ok {
		c.cron, c.err = Parse(r.Cron)
		p.crons[r.Cron] = c
	}
	z, ok := p.zones[r.Zone]
	if !ok {
		z.zone, z.err = Zone(r.Zone)
		p.zones[r.Zone] = z
	}
	return c.cron, z.zone, cmp.Or(c.err, z.err)
}

// Plan says what is to be done at the moment now. room is how many more each member may begin;
// a member that is not in it may begin most. Memory grows with the number of items that may
// begin, not with those that are due.
func (p *Planner) Plan(now time.Time, items []Item, most int, room map[string]int) Tick {
	tick := Tick{Broken: map[string]error{}}
	due := map[string]*longest{}
	for i := range items {
		item := &items[i]
		cron, zone, err := p.Rule(item.Rule)
		if err != nil {
			tick.Broken[item.ID] = err
			continue
		}
		from := item.Last
		if from.IsZero() || item.LastRule != item.Rule.String() || from.Sub(now) > ahead {
			tick.Begin = append(tick.Begin, item.ID)
			from = now
		}
		at := cron.Next(from, zone)
		switch {
		case at.IsZero():
		case at.After(now):
			if tick.Next.IsZero() || at.Before(tick.Next) {
				tick.Next = at
			}
		default:
			queue := due[item.Member]
			if queue == nil {
				free, told := room[item.Member]
				if !told {
					free = most
				}
				queue = &longest{most: max(free, 0)}
				due[item.Member] = queue
			}
			tick.Waiting += queue.take(Run{ID: item.ID, Member: item.Member, At: at})
		}
	}
	for _, queue := range due {
		tick.Run = append(tick.Run, queue.runs...)
	}
	slices.SortFunc(tick.Run, before)
	return tick
}

func before(a, b Run) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) }

// longest keeps the most runs that are due the longest. The one that is due the shortest is on top.
type longest struct {
	most int
	runs []Run
}

// take keeps the run, or lets go of one, and gives how many that leaves out.
func (l *longest) take(r Run) int {
	if len(l.runs) < l.most {
		heap.Push(l, r)
		return 0
	}
	if l.most > 0 && before(r, l.runs[0]) < 0 {
		l.runs[0] = r
		heap.Fix(l, 0)
	}
	return 1
}

func (l *longest) Len() int           { return len(l.runs) }
func (l *longest) Less(i, j int) bool { return before(l.runs[i], l.runs[j]) > 0 }
func (l *longest) Swap(i, j int)      { l.runs[i], l.runs[j] = l.runs[j], l.runs[i] }

// Push implements heap.Interface.
func (l *longest) Push(x any) { l.runs = append(l.runs, x.(Run)) } //nolint:forcetypeassert // only take calls it

// Pop implements heap.Interface.
func (l *longest) Pop() any {
	last := l.runs[len(l.runs)-1]
	l.runs = l.runs[:len(l.runs)-1]
	return last
}

// Check refuses a schedule that cannot be followed: fleet.Invalid.
func Check(s fleet.Schedule, zone string) error {
	if _, err := Parse(s.Cron); err != nil {
		return err
	}
	_, err := Zone(zone)
	return err
}
