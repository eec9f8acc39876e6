package bulk

import (
	"context"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func (s *Service) check(ctx context.Context, r Request, who Choice, now time.Time) error {
	for _, err := range []error{r.checkChoice(who), r.checkFit(), r.checkValues(now)} {
		if err != nil {
			return err
		}
	}
	if s.Check == nil {
		return nil
	}
	return s.Check(ctx, r)
}

func (r Request) checkChoice(who Choice) error {
	ways := 0
	for _, given := range []bool{who.Names != nil, who.Filter != nil, who.All} {
		if given {
			ways++
		}
	}
	switch {
	case !r.Action.known():
		return fleet.Errorf(fleet.Invalid, "%q is nothing that can be done to tenants at once", r.Action).WithField("action").
			WithHint("use one of %v", Actions())
	case ways != 1:
		return fleet.Errorf(fleet.Invalid, "which tenants is said in %d ways", ways).WithField("tenants").
			WithHint("give exactly one of tenants (names), selector, and all")
	case who.Filter != nil && who.Filter.Empty():
		return fleet.Errorf(fleet.Invalid, "the selector is empty").WithField("selector").WithHint("say all: true to mean all tenants")
	case r.Action == Delete && who.Names == nil:
		return fleet.Errorf(fleet.Invalid, "tenants are deleted by their names only").WithField("tenants").WithHint("name them")
	}
	return nil
}

// checkFit refuses what is not of the action.
func (r Request) checkFit() error {
	for _, o := range []struct {
		field string
		given bool
		of    []Action
	}{
		{"timeout", r.Timeout != 0, []Action{Stop, Restart}},
		{"to", r.To != "", []Action{Move}},
		{"max_hold", r.MaxHold != 0, []Action{Move}},
		{"limit", r.BytesPerSecond != 0, []Action{Move}},
		{"at", !r.At.IsZero() || r.InWindow, []Action{Move}},
		{"plan", r.Plan != "", []Action{Resize}},
		{"note", r.Note != "", []Action{Snapshot, Backup}},
	} {
		if o.given && !slices.Contains(o.of, r.Action) {
			return fleet.Errorf(fleet.Invalid, "%s takes no %s", r.Action, o.field).WithField(o.field).WithHint("leave it out; it is of %v", o.of)
		}
	}
	return nil
}

func (r Request) checkValues(now time.Time) error {
	switch {
	case r.AtOnce < 0 || r.AtOnce > mostAtOnce:
		return fleet.Errorf(fleet.Invalid, "%d at once", r.AtOnce).WithField("at_once").WithHint("give 1 to %d", mostAtOnce)
	case r.Timeout < 0 || r.Timeout > time.Hour:
		return fleet.Errorf(fleet.Invalid, "a timeout of %s", r.Timeout).WithField("timeout").WithHint("give more than 0 and at most 1h")
	case r.Action == Resize && r.Plan == "":
		return fleet.Errorf(fleet.Invalid, "there is no plan given").WithField("plan").WithHint("lxdfleet plan list shows them")
	case !r.At.IsZero() && (r.At.Before(now.Add(-time.Minute)) || r.At.After(now.Add(farthest))):
		return fleet.Errorf(fleet.Invalid, "%s is over, or too far ahead", r.At.Format(time.RFC3339)).WithField("at").
			WithHint("give a time within the next 90 days, such as %s", now.Add(time.Hour).Format(time.RFC3339))
	case !utf8.ValidString(r.Note) || utf8.RuneCountInString(r.Note) > 200 || slices.ContainsFunc([]rune(r.Note), func(c rune) bool { return !unicode.IsPrint(c) }):
		return fleet.Errorf(fleet.Invalid, "this is no note").WithField("note").WithHint("use one line of at most 200 characters")
	}
	return nil
}
