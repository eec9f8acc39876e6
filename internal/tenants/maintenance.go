package tenants

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Bounds of what people may ask for.
const (
	MostPage    = 64 * fleet.KiB // of a maintenance page
	mostMessage = 1000           // characters
	mostHolds   = 16             // of one tenant
	longest     = 365 * 24 * time.Hour
)

// MaintenanceRequest asks to close a tenant to visitors.
type MaintenanceRequest struct {
	Message string        // plain text on the page; empty: a general one
	Page    string        // HTML to show instead of lxdfleet's page, MostPage at most
	For     time.Duration // it ends by itself after this time; 0: when somebody ends it
}

// Maintain closes the tenant to visitors: they see a page with status 503 until it is opened or
// its time is over, whatever the instance does. It returns when every proxy does so. A second call
// replaces the first.
func (s *Service) Maintain(ctx context.Context, name fleet.Name, req MaintenanceRequest) (View, error) {
	switch {
	case !fleet.Printable(req.Message, mostMessage):
		return View{}, fleet.Errorf(fleet.Invalid, "the message is too long or has characters that cannot be printed").WithField("message").
			WithHint("use at most %d printable characters", mostMessage)
	case !utf8.ValidString(req.Page) || fleet.Size(len(req.Page)) > MostPage:
		return View{}, fleet.Errorf(fleet.Invalid, "the page is not UTF-8 text of at most %s", MostPage).WithField("page").
			WithHint("make it smaller; put styles into the page and leave pictures out")
	}
	if err := checkSpan("for", req.For); err != nil {
		return View{}, err
	}
	t, err := s.altered(ctx, name)
	if err != nil {
		return View{}, err
	}
	now := s.opt.Now()
	m := &fleet.Maintenance{Message: strings.TrimSpace(req.Message), Page: req.Page, Since: now, Until: after(now, req.For)}
	return s.followed(ctx, t.ID, "maintenance", func(t *fleet.Tenant) (bool, error) { t.Maintenance = m; return true, nil })
}

// Open ends the tenant's maintenance. One that is open stays so.
func (s *Service) Open(ctx context.Context, name fleet.Name) (View, error) {
	t, err := s.tenant(ctx, name)
	if err != nil {
		return View{}, err
	}
	return s.viewed(ctx, t.ID, func(t *fleet.Tenant) (bool, error) {
		was := t.Maintenance != nil
		t.Maintenance = nil
		return was, nil
	})
}

// DefaultReason is the reason of a hold that names none.
const DefaultReason = "operator"

var reasonRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$`)

// Hold makes the tenant's requests wait at the gate, as long as the gate lets them, until the
// reason is taken away or its time is over (0: it is not). The reason is kept in the store, so
// it survives a restart. It returns when every proxy holds. A second call with the same reason
// replaces the first.
func (s *Service) Hold(ctx context.Context, name fleet.Name, reason string, span time.Duration) (View, error) {
	if reason == "" {
		reason = DefaultReason
	}
	if !reasonRule.MatchString(reason) {
		return View{}, fleet.Errorf(fleet.Invalid, "%q is not a reason", reason).WithField("reason").
			WithHint("write a word of lower-case letters, digits, dots, slashes, underscores and hyphens, such as backup")
	}
	if err := checkSpan("for", span); err != nil {
		return View{}, err
	}
	t, err := s.altered(ctx, name)
	if err != nil {
		return View{}, err
	}
	now := s.opt.Now()
	hold := fleet.Hold{Reason: reason, Since: now, Until: after(now, span)}
	return s.followed(ctx, t.ID, "the hold", func(t *fleet.Tenant) (bool, error) {
		holds := slices.DeleteFunc(slices.Clone(t.Holds), func(h fleet.Hold) bool { return h.Reason == reason })
		if len(holds) == mostHolds {
			return false, fleet.Errorf(fleet.Exhausted, "tenant %s is held for %d reasons already", t.Name, mostHolds).
				WithHint("take some away: lxdfleet tenant resume %s", t.Name)
		}
		holds = append(holds, hold)
		slices.SortFunc(holds, func(a, b fleet.Hold) int { return strings.Compare(a.Reason, b.Reason) })
		t.Holds = holds
		return true, nil
	})
}

// Resume takes a reason to hold away or, where reason is empty, all that no job has. Requests that
// wait go on when none is left.
func (s *Service) Resume(ctx context.Context, name fleet.Name, reason string) (View, error) {
	t, err := s.tenant(ctx, name)
	if err != nil {
		return View{}, err
	}
	return s.viewed(ctx, t.ID, func(t *fleet.Tenant) (bool, error) {
		left := slices.DeleteFunc(slices.Clone(t.Holds), func(h fleet.Hold) bool { return reason == "" && h.Job == "" || h.Reason == reason })
		was := len(t.Holds)
		t.Holds = orNone(left)
		return len(left) != was, nil
	})
}

// orNone gives nil for an empty list, as the store does.
func orNone(holds []fleet.Hold) []fleet.Hold {
	if len(holds) == 0 {
		return nil
	}
	return holds
}

// followTime is how long a change waits for proxies to follow it.
const followTime = 5 * time.Second

// followed is viewed, and returns when every proxy does what was changed. The error says which
// does not; the change stands.
func (s *Service) followed(ctx context.Context, id, what string, edit func(*fleet.Tenant) (bool, error)) (View, error) {
	v, err := s.viewed(ctx, id, edit)
	if err != nil || s.Gates == nil {
		return v, err
	}
	ctx, cancel := context.WithTimeout(ctx, followTime)
	defer cancel()
	if err := s.Gates.Follow(ctx); err != nil {
		return v, fmt.Errorf("%s of tenant %s is stored, but not in use everywhere yet: %w", what, v.Name, err)
	}
	return v, nil
}

// viewed alters the tenant and shows it.
func (s *Service) viewed(ctx context.Context, id string, edit func(*fleet.Tenant) (bool, error)) (View, error) {
	t, err := s.alter(ctx, id, edit)
	if err != nil {
		return View{}, err
	}
	job, _ := s.active(ctx, t.Name)
	return s.view(t, job.ID), nil
}

func checkSpan(field string, span time.Duration) error {
	if span < 0 || span > longest {
		return fleet.Errorf(fleet.Invalid, "a time of %s", span).WithField(field).WithHint("give more than 0 and at most a year, such as 30m")
	}
	return nil
}

func after(now time.Time, span time.Duration) time.Time {
	if span == 0 {
		return time.Time{}
	}
	return now.Add(span)
}

// Lapses ends what has a time limit: maintenance and holds.
type Lapses struct {
	Service *Service
	// Every is the time between two looks. Default a second.
	Every time.Duration
	// Logger gets what was ended, and failures. Default: nothing is logged.
	Logger *slog.Logger
}

// Run ends what is over until ctx ends.
func (l *Lapses) Run(ctx context.Context) {
	if l.Every <= 0 {
		l.Every = time.Second
	}
	every(ctx, l.Every, l.Logger, "maintenance and holds whose time is over cannot be ended", l.Once)
}

// Once ends what is over now.
func (l *Lapses) Once(ctx context.Context) error {
	s := l.Service
	rolls, err := s.Observer.roster.read(ctx)
	if err != nil {
		return err
	}
	for _, t := range rolls.all {
		if !lapse(&t, s.opt.Now()) {
			continue
		}
		_, err := s.alter(ctx, t.ID, func(t *fleet.Tenant) (bool, error) { return lapse(t, s.opt.Now()), nil })
		if err != nil && fleet.CodeOf(err) != fleet.NotFound {
			return fmt.Errorf("open tenant %s: %w", t.Name, err)
		}
		if l.Logger != nil {
			l.Logger.Info("maintenance or a hold is over", "tenant", t.Name)
		}
	}
	return nil
}

// lapse takes away what is over, and reports whether anything was.
func lapse(t *fleet.Tenant, now time.Time) bool {
	over := false
	if t.Maintenance != nil && t.Maintenance.Over(now) {
		t.Maintenance, over = nil, true
	}
	if slices.ContainsFunc(t.Holds, func(h fleet.Hold) bool { return h.Over(now) }) {
		t.Holds = orNone(slices.DeleteFunc(slices.Clone(t.Holds), func(h fleet.Hold) bool { return h.Over(now) }))
		over = true
	}
	return over
}
