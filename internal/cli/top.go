package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

func (t *tool) topCommand() *cobra.Command {
	interval, once := 2*time.Second, false
	c := &cobra.Command{
		Use: "top", Short: "Show which tenants are busy, as it happens", Args: arguments(0, 0),
		Long: "Show what the proxy answers, by tenant, busiest first, until Ctrl-C: requests and errors (5xx) a second, how long half\n" +
			"of the requests and 99 in 100 took at most (to within a bucket), requests at the tenant and held, and bytes a second.\n" +
			"With -o json each interval is one line.",
		RunE: func(c *cobra.Command, _ []string) error {
			if interval <= 0 {
				return usagef("an interval of %s is none; write it as 2s", interval)
			}
			d, err := t.daemon()
			if err != nil {
				return err
			}
			err = t.top(c.Context(), d, interval, once)
			if c.Context().Err() != nil {
				return nil // Ctrl-C is how it ends
			}
			return err
		},
	}
	c.Flags().DurationVar(&interval, "interval", interval, "`time` between two tables, which is what they are about")
	c.Flags().BoolVar(&once, "once", false, "show one table and end")
	return c
}

// top shows an interval after the other until ctx ends.
func (t *tool) top(ctx context.Context, d *client.Daemon, interval time.Duration, once bool) error {
	before, err := client.Decode[client.Traffic](d.GetTraffic(ctx))
	if err != nil {
		return err
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for first := true; ; first = false {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now, err := client.Decode[client.Traffic](d.GetTraffic(ctx))
		if err != nil {
			return err
		}
		if err := t.showLoad(loadBetween(before, now), once, first); err != nil || once {
			return err
		}
		before = now
	}
}

// showLoad writes what happened in one interval.
func (t *tool) showLoad(l load, once, first bool) error {
	if once {
		return t.print(l, func() error {
			_, err := fmt.Fprintln(t.Out, l.table())
			return err
		})
	}
	out := l.headline() + "\n" + l.table() + "\n"
	switch t.output {
	case "json":
		line, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("write the output: %w", err)
		}
		out = string(line) + "\n"
	case "yaml":
		data, err := yaml.Marshal(l)
		if err != nil {
			return fmt.Errorf("write the output: %w", err)
		}
		out = "---\n" + string(data)
	default:
		if fd, ok := terminal(t.Out); ok {
			columns, lines, err := term.GetSize(fd)
			if err != nil {
				columns, lines = 80, 24
			}
			out = screen(out, columns, lines, first)
		} else if !first {
			out = "\n" + out
		}
	}
	_, err := fmt.Fprint(t.Out, out)
	return err
}

// screen makes what draws page over the one before, cut to the terminal's size. The first one
// clears the terminal.
func screen(page string, columns, lines int, first bool) string {
	var b strings.Builder
	if first {
		b.WriteString("\x1b[2J")
	}
	b.WriteString("\x1b[H")
	all := strings.Split(strings.TrimSuffix(page, "\n"), "\n")
	for _, line := range all[:min(len(all), max(1, lines-1))] {
		if runes := []rune(line); len(runes) > columns {
			line = string(runes[:columns])
		}
		b.WriteString(line + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	return b.String()
}

func (l load) headline() string {
	return fmt.Sprintf("%s  %s requests/s  %s errors/s  %d hosts", l.At.Local().Format("15:04:05"), rate(l.Requests), rate(l.Errors), l.Hosts)
}

func (l load) table() string {
	w := table.NewWriter()
	w.AppendHeader(row([]string{"TENANT", "REQ/S", "ERR/S", "P50", "P99", "IN FLIGHT", "HELD", "IN/S", "OUT/S", "STATE"}))
	var numbers []table.ColumnConfig
	for column := 2; column <= 9; column++ {
		numbers = append(numbers, table.ColumnConfig{Number: column, Align: text.AlignRight})
	}
	w.SetColumnConfigs(numbers)
	for _, t := range l.Tenants {
		name, state := t.Tenant, t.State
		if name == "" {
			name = "(unknown hosts)"
		}
		if len(t.Reasons) > 0 {
			state += " (" + strings.Join(t.Reasons, ", ") + ")"
		}
		w.AppendRow(row([]string{
			name, rate(t.Requests), rate(t.Errors), l.took(t.P50), l.took(t.P99), fmt.Sprint(t.InFlight), fmt.Sprint(t.Held),
			humanize.IBytes(uint64(t.BytesIn)), humanize.IBytes(uint64(t.BytesOut)), state,
		}))
	}
	return w.Render()
}

// rate writes a number a second, with decimals where it is small.
func rate(n float64) string {
	if n >= 100 || n == 0 {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.1f", n)
}

// took writes seconds; nil where there was no request.
func (l load) took(seconds *float64) string {
	switch {
	case seconds == nil:
		return ""
	case *seconds >= l.longest:
		return fmt.Sprintf("> %gs", l.longest) // how much more is not known
	case *seconds >= 1:
		return fmt.Sprintf("%.1fs", *seconds)
	case *seconds >= 0.01:
		return fmt.Sprintf("%.0fms", *seconds*1000)
	}
	return fmt.Sprintf("%.1fms", *seconds*1000)
}
