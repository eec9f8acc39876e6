package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// sortFlag is what a list may be sorted by; the daemon does it.
func sortFlag(c *cobra.Command, into *string, keys ...string) {
	c.Flags().StringVar(into, "sort", "", "sort by this `key`: "+strings.Join(keys, ", ")+"; with a minus the other way round")
	words := keys
	for _, key := range keys {
		words = append(words, "-"+key)
	}
	fixed(c, "sort", words...)
}

// keptFlags narrow lists of snapshots and of backups.
type keptFlags struct {
	policy, consistency, from, to string
	pinned                        bool

	onlyPinned   *bool
	since, until time.Time
}

func (f *keptFlags) add(t *tool, c *cobra.Command) {
	c.Flags().StringVar(&f.policy, "policy", "", "only those made by this `policy`")
	complete(c, "policy", t.words(-1, policyNames))
	c.Flags().StringVar(&f.consistency, "consistency", "", "only those of this `consistency`: application, crash")
	fixed(c, "consistency", "application", "crash")
	c.Flags().BoolVar(&f.pinned, "pinned", false, "only those that are pinned; --pinned=false: those that are not")
	c.Flags().StringVar(&f.from, "from", "", "not before this `time`, such as 2026-03-01 or 24h for the last day")
	c.Flags().StringVar(&f.to, "to", "", "before this `time`")
}

func (f *keptFlags) read(t *tool, c *cobra.Command) (err error) {
	if c.Flags().Changed("pinned") {
		f.onlyPinned = &f.pinned
	}
	if f.since, err = t.moment("from", f.from); err != nil {
		return err
	}
	f.until, err = t.moment("to", f.to)
	return err
}
