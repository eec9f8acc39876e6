package cli

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lxdfleet/lxdfleet/internal/spelling"
)

// unknownVerb suggests verbs of a noun; of the root, whose nouns people leave out, those of tenants.
func unknownVerb(c *cobra.Command, verb string) error {
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(verb); len(near) > 0 {
		return usagef("%s has no command %q; did you mean %q?", c.CommandPath(), verb, near[0])
	}
	if tenant, _, err := c.Find([]string{"tenant"}); err == nil && tenant != c {
		for _, below := range tenant.Commands() {
			if below.Name() == verb || below.HasAlias(verb) || slices.Contains(below.SuggestFor, verb) {
				return usagef("%s has no command %q; did you mean %q?", c.CommandPath(), verb, tenant.Name()+" "+below.Name())
			}
		}
	}
	return usagef("%s has no command %q", c.CommandPath(), verb)
}

// lxcWords are words of lxc, and of others, for what has another one here.
var lxcWords = map[string][]string{
	"tenant create": {"launch", "init", "new"}, "tenant set": {"config", "edit"}, "tenant show": {"get"}, "tenant delete": {"remove"},
	"member": {"node", "host"}, "job": {"operation", "task"}, "context": {"remote"}, "cluster": {"remote"}, "plan": {"profile", "size"},
}

// suggestLXC has the words of lxc answered with ours.
func suggestLXC(c *cobra.Command, path string) {
	for _, below := range c.Commands() {
		name := below.Name()
		if path != "" {
			name = path + " " + name
		}
		below.SuggestFor = append(below.SuggestFor, lxcWords[name]...)
		suggestLXC(below, name)
	}
}

// unknownFlag suggests the flag that was meant.
func unknownFlag(c *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || len(unknown.GetSpecifiedName()) < 2 {
		return err
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	best := spelling.Nearest(unknown.GetSpecifiedName(), names, 2)
	if best == "" {
		return err
	}
	return usagef("there is no --%s; did you mean --%s?", unknown.GetSpecifiedName(), best)
}
