package cli

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// limits are the flags of everything that moves tenants.
type limits struct {
	hold, rate string
	atOnce     int
}

func (l *limits) flags(c *cobra.Command, many bool) {
	c.Flags().StringVar(&l.hold, "max-hold", "", "how long the requests of each tenant may wait, a `time` such as 10s; one that would need longer stays where it is (default 20s)")
	c.Flags().StringVar(&l.rate, "limit", "", "each copy takes at most this `size` each second while the tenant runs, such as 50MiB")
	if many {
		c.Flags().IntVar(&l.atOnce, "at-once", 0, "move this `number` of tenants at a time (default 3)")
	}
}

func (t *tool) moveCommand() *cobra.Command {
	var to, at string
	var dry bool
	var l limits
	m := many{action: client.BulkActionMove}
	c := &cobra.Command{
		Use: "move TENANT... [flags]", Short: "Move tenants to other members, also of other clusters", Args: cobra.ArbitraryArgs, ValidArgsFunction: t.words(-1, tenantNames),
		Long: "Move tenants to another member, of this cluster or of another one (west:n1, or west: for any of\n" +
			"its members), one after another, or with --selector, --all or --at-once several at a\n" +
			"time. Each is copied while it runs, and then again what it wrote meanwhile; only then its requests\n" +
			"wait, for a few seconds, and none of them fails.\n" +
			"Until it is healthy on the other member it can go back: where something fails, or the job is\n" +
			"cancelled (lxdfleet job cancel), it serves on from where it was.",
		Example: "  lxdfleet move acme --to n2\n  lxdfleet move acme --to west:\n  lxdfleet move acme --dry-run\n  lxdfleet move --selector client=acme --to n2 --at window",
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	c.Flags().StringVar(&to, "to", "", "the `member`; without it placement chooses")
	c.Flags().StringVar(&at, "at", "", "move at a `time` such as 02:00 or \"2026-12-01 02:00\", or as soon as the tenant's window allows: window")
	c.Flags().BoolVar(&dry, "dry-run", false, "tell what would be copied and how long requests would wait, and move nothing")
	complete(c, "to", t.words(-1, memberNames))
	l.flags(c, false)
	m.flags(c)
	for _, all := range []string{"all", "selector", "at-once"} {
		apart(c, "dry-run", all)
	}
	c.RunE = func(c *cobra.Command, names []string) error {
		when, err := moment(at, t.now())
		if err != nil {
			return err
		}
		if m.asked() {
			b, err := m.body(c, names)
			if err != nil {
				return err
			}
			b.To, b.MaxHold, b.Limit, b.At = to, l.hold, l.rate, when
			if when == "window" {
				return t.bulk(c.Context(), w, b, "each is moved in its window")
			}
			return t.bulk(c.Context(), w, b, "moved")
		}
		if err := arguments(1, -1)(c, names); err != nil {
			return err
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		if w.key != "" && len(names) > 1 {
			return usagef("--idempotency-key is for one job: name one tenant, or give --at-once, too")
		}
		return t.each(c.Context(), names, func(name string) error {
			if dry {
				return t.dryMove(c.Context(), d, name, &client.PlanMoveParams{To: to, Limit: l.rate})
			}
			answer, err := d.MoveTenant(c.Context(), name, &client.MoveTenantParams{IdempotencyKey: w.key},
				client.TenantMove{To: to, MaxHold: l.hold, Limit: l.rate, At: when})
			if when != "" {
				return t.planned(name, when, answer, err)
			}
			return w.job(c.Context(), d, func(client.Job) error { return t.moved(c.Context(), d, name) }, answer, err)
		})
	}
	return c
}

// moment reads when somebody wants something done, as the API takes it.
func moment(s string, now time.Time) (string, error) {
	if s == "" || s == "window" {
		return s, nil
	}
	if at, err := time.ParseInLocation("2006-01-02 15:04", s, now.Location()); err == nil {
		return at.Format(time.RFC3339), nil
	}
	if at, err := time.Parse("15:04", s); err == nil {
		next := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, now.Location())
		if next.Before(now) {
			next = next.AddDate(0, 0, 1)
		}
		return next.Format(time.RFC3339), nil
	}
	if _, err := time.Parse(time.RFC3339, s); err != nil {
		return "", usagef("--at is a time such as 02:00 or \"2026-12-01 02:00\", or window, not %q", s)
	}
	return s, nil
}

// planned says that a move waits for its time.
func (t *tool) planned(name, when string, answer *http.Response, err error) error {
	job, err := client.Decode[client.Job](answer, err)
	if err != nil {
		return err
	}
	if when == "window" {
		when = "in its window"
	}
	return t.print(job, func() error {
		_, err := fmt.Fprintf(t.Out, "Tenant %s is moved %s; cancel it with: lxdfleet job cancel %s\n", name, when, job.Id)
		return err
	})
}

func (t *tool) moved(ctx context.Context, d *client.Daemon, name string) error {
	now, err := client.Decode[client.Tenant](d.GetTenant(ctx, name))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.Out, "Tenant %s lives on %s\n", name, now.Member)
	return err
}

func (t *tool) dryMove(ctx context.Context, d *client.Daemon, name string, params *client.PlanMoveParams) error {
	e, err := client.Decode[client.MoveEstimate](d.PlanMove(ctx, name, params))
	if err != nil {
		return err
	}
	return t.print(e, func() error {
		return t.printFields("Tenant", name, "From", e.From, "To", e.To, "Why", printable(e.Why),
			"To copy", humanSize(e.Bytes)+", about "+seconds(e.Copy)+" while it runs", "Requests wait", "about "+seconds(e.Hold))
	})
}

func (t *tool) memberDrain() *cobra.Command {
	var plan, partial bool
	var l limits
	c := &cobra.Command{
		Use: "drain MEMBER [flags]", Short: "Move everything away from a member", Args: arguments(1, 1), ValidArgsFunction: t.words(1, memberNames),
		Long: "Cordon a member and move everything away from it, the shortest expected wait first. Where there is\n" +
			"no room for all of it nothing is begun, unless --partial is given. Stop it with lxdfleet job\n" +
			"cancel: moves under way are finished; asked again it goes on. lxdfleet member restore brings\n" +
			"everything back.",
		Example: "  lxdfleet member drain n1 --plan\n  lxdfleet member drain n1 --at-once 3 --limit 100MiB --max-hold 10s",
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	c.Flags().BoolVar(&plan, "plan", false, "print what would be moved where, and move nothing")
	c.Flags().BoolVar(&partial, "partial", false, "move what can be moved, also where not all can be")
	l.flags(c, true)
	c.RunE = func(c *cobra.Command, args []string) error {
		d, err := t.daemon()
		if err != nil {
			return err
		}
		if plan {
			p, err := client.Decode[client.MovePlan](d.GetDrainPlan(c.Context(), args[0]))
			return t.movePlan(p, err, "There is nothing on "+args[0]+" to move.")
		}
		answer, err := d.DrainMember(c.Context(), args[0], &client.DrainMemberParams{IdempotencyKey: w.key},
			client.Drain{AtOnce: l.atOnce, MaxHold: l.hold, Limit: l.rate, Partial: partial})
		return w.job(c.Context(), d, t.saying("Member "+args[0]+" is empty and cordoned; open it again: lxdfleet member restore "+args[0]), answer, err)
	}
	return c
}

func (t *tool) memberRestore() *cobra.Command {
	var l limits
	c := &cobra.Command{
		Use: "restore MEMBER [flags]", Short: "Open a member again and bring back what was drained from it", Args: arguments(1, 1),
		ValidArgsFunction: t.words(1, memberNames),
		Long: "Uncordon a member and bring back what its last drain moved away. Tenants that were moved again\n" +
			"since stay where they are.",
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	l.flags(c, true)
	c.RunE = func(c *cobra.Command, args []string) error {
		d, err := t.daemon()
		if err != nil {
			return err
		}
		answer, err := d.RestoreMember(c.Context(), args[0], &client.RestoreMemberParams{IdempotencyKey: w.key},
			client.MoveLimits{AtOnce: l.atOnce, MaxHold: l.hold, Limit: l.rate})
		return w.job(c.Context(), d, t.saying("Member "+args[0]+" is open, and what was drained from it is back"), answer, err)
	}
	return c
}

// saying gives what prints a line once a job is done.
func (t *tool) saying(line string) func(client.Job) error {
	return func(client.Job) error {
		_, err := fmt.Fprintln(t.Out, line)
		return err
	}
}

func (t *tool) rebalanceCommand() *cobra.Command {
	var plan, apply, consolidate bool
	var l limits
	c := &cobra.Command{
		Use: "rebalance --plan|--apply [flags]", Short: "Move what brings the fleet under its targets", Args: arguments(0, 0),
		Long: "Print the fewest moves that bring every member under the targets of the configuration, and every\n" +
			"tenant to a member as it wishes; or, with --consolidate, that empty as many members as can be.\n" +
			"With --apply they are carried out.",
		Example: "  lxdfleet rebalance --plan\n  lxdfleet rebalance --apply --at-once 3",
	}
	w := t.waitFlags(c)
	w.keyFlag(c)
	c.Flags().BoolVar(&plan, "plan", false, "print the plan, and move nothing")
	c.Flags().BoolVar(&apply, "apply", false, "carry the plan out")
	c.Flags().BoolVar(&consolidate, "consolidate", false, "empty as many members as can be")
	apart(c, "plan", "apply")
	l.flags(c, true)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !plan && !apply {
			return usagef("write it as: %s", c.UseLine())
		}
		d, err := t.daemon()
		if err != nil {
			return err
		}
		if plan {
			p, err := client.Decode[client.MovePlan](d.GetRebalancePlan(c.Context(), &client.GetRebalancePlanParams{Consolidate: consolidate}))
			return t.movePlan(p, err, nothingToMove(consolidate))
		}
		var answer *http.Response
		answer, err = d.Rebalance(c.Context(), &client.RebalanceParams{IdempotencyKey: w.key},
			client.Rebalance{Consolidate: consolidate, AtOnce: l.atOnce, MaxHold: l.hold, Limit: l.rate})
		return w.job(c.Context(), d, t.saying("The fleet is balanced"), answer, err)
	}
	return c
}

func nothingToMove(consolidate bool) string {
	if consolidate {
		return "No member can be emptied."
	}
	return "Every member is under its targets, and every tenant where it wishes to be."
}
