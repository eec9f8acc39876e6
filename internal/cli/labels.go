package cli

import (
	"maps"
	"slices"
	"strings"
)

// parsePairs reads key=value arguments of a flag.
func parsePairs(flag string, given []string) (map[string]string, error) {
	out := map[string]string{}
	for _, pair := range given {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usagef("--%s %q is not of the form key=value", flag, pair)
		}
		out[key] = value
	}
	return out, nil
}

// pairs writes a map in a fixed order.
func pairs(m map[string]string) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, key+"="+m[key])
	}
	return strings.Join(out, ", ")
}
