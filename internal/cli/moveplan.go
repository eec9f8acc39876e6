package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// movePlan prints a plan; nothing is said where it has neither moves nor troubles.
func (t *tool) movePlan(p client.MovePlan, err error, nothing string) error {
	if err != nil {
		return err
	}
	return t.print(p, func() error {
		if len(p.Moves)+len(p.Left)+len(p.Over) == 0 {
			_, err := fmt.Fprintln(t.Out, nothing)
			return err
		}
		if len(p.Moves) > 0 {
			if err := t.printMoves(p); err != nil {
				return err
			}
		}
		for _, l := range p.Left {
			fmt.Fprintf(t.Out, "%s stays on %s: it %s\n", l.Tenant, l.Member, printable(l.Why))
		}
		for _, o := range p.Over {
			fmt.Fprintf(t.Out, "%s stays above its targets: %s\n", o.Member, printable(o.Why))
		}
		if len(p.Emptied) > 0 {
			fmt.Fprintf(t.Out, "%s saved: %s\n", counted(len(p.Emptied), "member"), strings.Join(p.Emptied, ", "))
		}
		return nil
	})
}

func (t *tool) printMoves(p client.MovePlan) error {
	rows := make([][]string, len(p.Moves))
	for i, m := range p.Moves {
		rows[i] = []string{m.Tenant, m.From, m.To, humanSize(m.Bytes), seconds(m.Hold), strconv.FormatFloat(m.Gain, 'f', 2, 64), m.Why}
	}
	if err := t.printTable([]string{"TENANT", "FROM", "TO", "COPIED", "HOLD", "GAIN", "WHY"}, rows); err != nil {
		return err
	}
	fmt.Fprintf(t.Out, "%s, %s copied, %s of hold in all\n", counted(len(p.Moves), "move"), humanSize(p.Bytes), seconds(p.Hold))
	return nil
}

// seconds writes a duration with one decimal.
func seconds(s string) string {
	d, err := time.ParseDuration(s)
	if err != nil {
		return s
	}
	return d.Round(100 * time.Millisecond).String()
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
