package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// apartKey is where a command notes its flags that exclude each other.
const apartKey = "lxdfleet-apart"

// apart says that of these flags one can be given only.
func apart(c *cobra.Command, flags ...string) {
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	c.Annotations[apartKey] += strings.Join(flags, " ") + "\n"
}

// checkApart refuses flags that exclude each other.
func checkApart(c *cobra.Command) error {
	for group := range strings.Lines(c.Annotations[apartKey]) {
		var given []string
		for flag := range strings.FieldsSeq(group) {
			if c.Flags().Changed(flag) {
				given = append(given, "--"+flag)
			}
		}
		if len(given) > 1 {
			return usagef("%s exclude each other: give one of them", strings.Join(given, " and "))
		}
	}
	return nil
}
