package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml"
	"github.com/jedib0t/go-pretty/v6/table"
)

func (t *tool) checkOutput() error {
	if !slices.Contains([]string{"table", "json", "yaml"}, t.output) {
		return usagef("there is no output format %q; use table, json or yaml", t.output)
	}
	return nil
}

// print writes value as JSON or YAML, or calls people where people are to read it.
func (t *tool) print(value any, people func() error) error {
	if t.output == "table" {
		return people()
	}
	value, err := t.pickItems(value, people)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(value, "", "  ")
	if err == nil && t.output == "yaml" {
		text, err = yaml.JSONToYAML(text)
	}
	if err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	_, err = fmt.Fprintln(t.Out, strings.TrimSuffix(string(text), "\n"))
	return err
}

// printTable writes a table as lxc does, of the rows and columns that were asked for.
func (t *tool) printTable(header []string, rows [][]string) error {
	kept, err := t.pick.keep(header, rows)
	if err != nil {
		return err
	}
	if t.pick.look {
		t.pick.seen.header, t.pick.seen.rows, t.pick.seen.kept = header, rows, kept
		return nil
	}
	if header, rows, err = t.pick.cut(header, rowsAt(rows, kept)); err != nil {
		return err
	}
	w := table.NewWriter()
	w.AppendHeader(row(header))
	for _, r := range rows {
		w.AppendRow(row(r))
	}
	_, err = fmt.Fprintln(t.Out, w.Render())
	return err
}

func row(cells []string) table.Row {
	r := make(table.Row, len(cells))
	for i, c := range cells {
		r[i] = printable(c)
	}
	return r
}

// printFields writes pairs of a word and its value, one a line; empty values are left out.
func (t *tool) printFields(pairs ...string) error {
	w := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			fmt.Fprintf(w, "%s:\t%s\n", pair[0], printable(pair[1]))
		}
	}
	return w.Flush()
}

// printable keeps what others wrote (names, log lines, errors) from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// printableLines is printable of each line.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// ago writes a time for people.
func (t *tool) ago(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return humanize.RelTime(at, t.now(), "ago", "from now")
}

// when writes a moment, and how far away it is.
func (t *tool) when(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return t.clock(at, "2006-01-02 15:04:05 MST") + " (" + t.ago(at) + ")"
}

// clock writes a moment as the clocks here show it.
func (t *tool) clock(at time.Time, layout string) string {
	return at.In(t.now().Location()).Format(layout)
}

func humanSize(n int64) string {
	if n == 0 {
		return ""
	}
	return humanize.IBytes(uint64(max(0, n)))
}

// sizeWords is humanSize that says so where there is nothing.
func sizeWords(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
