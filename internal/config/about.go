package config

import (
	"slices"
	"strings"
)

// abouts gives what the example says of each setting: the comment above it, or of the setting
// before it where one comment is for several, or of its section.
func abouts(example string) map[string]string {
	about := map[string]string{}
	var comment, open []string // open: the sections that the line is in
	last := ""                 // said of the setting before, in this section
	for line := range strings.Lines(example) {
		trimmed := strings.TrimSpace(line)
		if words, ok := strings.CutPrefix(trimmed, "#"); ok {
			comment = append(comment, strings.TrimSpace(words))
			continue
		}
		key, value, ok := strings.Cut(trimmed, ":")
		if !ok {
			comment = nil // an empty line ends what is said of the file
			continue
		}
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		open = append(slices.Clip(open[:depth]), key)
		isSection := strings.TrimSpace(value) == ""
		if len(comment) > 0 || isSection {
			last, comment = strings.Join(comment, " "), nil
		}
		if !isSection {
			about[strings.Join(open, ".")] = last
		}
	}
	return about
}
