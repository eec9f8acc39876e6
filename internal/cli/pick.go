package cli

import (
	"context"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// pick narrows what a list shows: to columns, and to rows.
type pick struct {
	columns []string
	filters []string
	// look: nothing is shown, and seen has what would be.
	look bool
	seen struct {
		header []string
		rows   [][]string // all
		kept   []int      // those that the filters leave
	}
}

// lists are the verbs that show a table of things.
var lists = []string{"list", "sessions", "deliveries", "adoptable"}

// pickFlags gives the flags of a list to every command below c that is one.
func (t *tool) pickFlags(c *cobra.Command) {
	for _, child := range c.Commands() {
		t.pickFlags(child)
	}
	if c.HasSubCommands() || !slices.Contains(lists, c.Name()) {
		return
	}
	c.Flags().StringSliceVarP(&t.pick.columns, "columns", "c", nil, "only these `columns`, in this order, such as name,status")
	c.Flags().StringArrayVar(&t.pick.filters, "filter", nil, "only rows with this `column=value`, or column!=value; * is any text; several times")
	complete(c, "columns", t.columnNames)
	complete(c, "filter", t.cellValues)
}

// key is how a column is called on the command line: "as-written" for AS WRITTEN.
func key(column string) string {
	return strings.NewReplacer(" ", "-", "_", "-").Replace(strings.ToLower(column))
}

func keys(header []string) []string {
	out := make([]string, len(header))
	for i, h := range header {
		out[i] = key(h)
	}
	return out
}

func columnOf(header []string, name string) (int, error) {
	i := slices.Index(keys(header), key(strings.TrimSpace(name)))
	if i < 0 {
		return 0, usagef("there is no column %q; there are %s", name, strings.Join(keys(header), ", "))
	}
	return i, nil
}

// cut gives the table with the chosen columns only.
func (p *pick) cut(header []string, rows [][]string) ([]string, [][]string, error) {
	if len(p.columns) == 0 {
		return header, rows, nil
	}
	order := make([]int, len(p.columns))
	for i, name := range p.columns {
		var err error
		if order[i], err = columnOf(header, name); err != nil {
			return nil, nil, err
		}
	}
	some := func(cells []string) []string {
		out := make([]string, len(order))
		for i, at := range order {
			out[i] = cells[at]
		}
		return out
	}
	cut := make([][]string, len(rows))
	for i, r := range rows {
		cut[i] = some(r)
	}
	return some(header), cut, nil
}

// keep gives the numbers of the rows that all filters leave.
func (p *pick) keep(header []string, rows [][]string) ([]int, error) {
	tests := make([]func([]string) bool, len(p.filters))
	for i, text := range p.filters {
		var err error
		if tests[i], err = filter(header, text); err != nil {
			return nil, err
		}
	}
	kept := []int{}
	for i, r := range rows {
		if !slices.ContainsFunc(tests, func(test func([]string) bool) bool { return !test(r) }) {
			kept = append(kept, i)
		}
	}
	return kept, nil
}

// filter reads COLUMN=VALUE and COLUMN!=VALUE. A cell that is a list of words with commas has
// the value where one of them has it.
func filter(header []string, text string) (func(row []string) bool, error) {
	name, value, ok := strings.Cut(text, "=")
	name, not := strings.CutSuffix(name, "!")
	if !ok {
		return nil, usagef("--filter %q is not of the form column=value; the columns are %s", text, strings.Join(keys(header), ", "))
	}
	column, err := columnOf(header, name)
	if err != nil {
		return nil, err
	}
	pattern := regexp.MustCompile("(?is)^" + strings.ReplaceAll(regexp.QuoteMeta(value), `\*`, ".*") + "$")
	return func(row []string) bool {
		cell := row[column]
		has := pattern.MatchString(cell) || slices.ContainsFunc(strings.Split(cell, ", "), pattern.MatchString)
		return has != not
	}, nil
}

// rows gives the rows that are left.
func rowsAt(rows [][]string, kept []int) [][]string {
	out := make([][]string, len(kept))
	for i, at := range kept {
		out[i] = rows[at]
	}
	return out
}

// lookAt runs what shows a table for people, without showing it.
func (t *tool) lookAt(people func() error) error {
	streams, output := t.Streams, t.output
	t.pick.look, t.output, t.Out, t.Err = true, "table", io.Discard, io.Discard
	defer func() { t.pick.look, t.Streams, t.output = false, streams, output }()
	return people()
}

// pickItems gives those of a list's values whose rows the filters leave: a list has a row of
// its table for each.
func (t *tool) pickItems(value any, people func() error) (any, error) {
	if len(t.pick.filters) == 0 {
		return value, nil
	}
	if err := t.lookAt(people); err != nil {
		return nil, err
	}
	all := reflect.ValueOf(value)
	if all.Kind() != reflect.Slice || all.Len() > len(t.pick.seen.rows) {
		return nil, usagef("--filter cannot be used here with -o %s", t.output)
	}
	first := len(t.pick.seen.rows) - all.Len() // rows of the table alone: the context local is no item
	some := reflect.MakeSlice(all.Type(), 0, len(t.pick.seen.kept))
	for _, i := range t.pick.seen.kept {
		if i >= first {
			some = reflect.Append(some, all.Index(i-first))
		}
	}
	return some.Interface(), nil
}

// seen looks at what a list would show, for completion.
func (t *tool) seen(c *cobra.Command, args []string) bool {
	t.pick = pick{}
	ctx, cancel := context.WithTimeout(c.Context(), 2*time.Second)
	defer cancel()
	c.SetContext(ctx)
	return c.ValidateArgs(args) == nil && t.lookAt(func() error { return c.RunE(c, args) }) == nil
}

// columnNames completes --columns, by what the list would show.
func (t *tool) columnNames(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if !t.seen(c, args) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	before := typed[:strings.LastIndex(typed, ",")+1]
	var out []string
	for _, name := range keys(t.pick.seen.header) {
		if !slices.Contains(strings.Split(before, ","), name) {
			out = append(out, before+name)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// cellValues completes --filter, likewise: columns, and then what is in one.
func (t *tool) cellValues(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if !t.seen(c, args) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	name, _, given := strings.Cut(typed, "=")
	if !given {
		out := keys(t.pick.seen.header)
		for i := range out {
			out[i] += "="
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	column, err := columnOf(t.pick.seen.header, strings.TrimSuffix(name, "!"))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, r := range t.pick.seen.rows {
		for cell := range strings.SplitSeq(r[column], ", ") {
			if word := name + "=" + printable(cell); !slices.Contains(out, word) {
				out = append(out, word)
			}
		}
	}
	slices.Sort(out)
	return out, cobra.ShellCompDirectiveNoFileComp
}
