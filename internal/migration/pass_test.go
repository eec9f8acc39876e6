package migration

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func passes(seconds ...float64) (out []Pass) {
	for _, s := range seconds {
		out = append(out, Pass{Took: time.Duration(s * float64(time.Second))})
	}
	return out
}

func TestJudge(t *testing.T) {
	for name, tt := range map[string]struct {
		passes []Pass
		most   time.Duration
		want   Verdict
	}{
		"the first pass took long":                  {passes(3), 20 * time.Second, Again},
		"the first pass took no longer than a last": {passes(0.5), 20 * time.Second, CutOver},
		"little is left":                            {passes(60, 1.5), 20 * time.Second, CutOver},
		"it still shrinks":                          {passes(60, 10), 20 * time.Second, Again},
		"it still shrinks, later":                   {passes(60, 10, 5), 20 * time.Second, Again},
		"it shrinks no more, and visitors can wait": {passes(60, 10, 9), 20 * time.Second, CutOver},
		"it shrinks no more, and they cannot":       {passes(60, 30, 29), 20 * time.Second, Hopeless},
		"it grows":                                  {passes(60, 30, 45), 20 * time.Second, Hopeless},
		"a longer hold is allowed":                  {passes(60, 30, 29), time.Minute, CutOver},
		"it shrinks for ever":                       {passes(60, 50, 39, 31, 24, 19, 15, 12, 9.5, 7.5, 6, 4.7), 20 * time.Second, CutOver},
	} {
		if got := Judge(tt.passes, tt.most); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// Phase one ends whatever the passes take, and visitors never wait longer than is allowed for
// more than the least there is to wait.
func TestJudgeEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := time.Duration(rapid.IntRange(0, 60).Draw(t, "most")) * time.Second
		var list []Pass
		for range mostPasses + 1 {
			list = append(list, Pass{Took: time.Duration(rapid.IntRange(0, 100_000).Draw(t, "ms")) * time.Millisecond})
			switch Judge(list, most) {
			case CutOver:
				if last := list[len(list)-1].Took; last > enough && last+fixed > most {
					t.Fatalf("visitors wait %s, allowed %s", last+fixed, most)
				}
				return
			case Hopeless:
				return
			}
		}
		t.Fatal("phase one does not end")
	})
}

// No tenant can have the name of what a move makes.
func TestNames(t *testing.T) {
	job := fleet.NewID(time.Now())
	for _, n := range []string{copyName(job), leftName(job)} {
		if _, err := fleet.ParseName(n); err == nil || len(n) > 63 {
			t.Errorf("%q: %v", n, err)
		}
	}
	if copyName(job) == leftName(job) {
		t.Error("one name for two instances")
	}
}
