package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// YAML writes all settings in the form of the file. Passwords, such as that in store.dsn, are
// replaced by xxxxx, so that the text can be shown.
func (c Config) YAML() string {
	var b strings.Builder
	var open []string // the sections that the line before is in
	walk(reflect.ValueOf(c), "", func(path string, value reflect.Value) {
		names := strings.Split(path, ".")
		key, sections := names[len(names)-1], names[:len(names)-1]
		for depth, name := range sections {
			if depth >= len(open) || open[depth] != name {
				fmt.Fprintf(&b, "%s%s:\n", strings.Repeat("  ", depth), name)
				open = nil // what was open deeper is not any more
			}
		}
		open = sections
		safe, _ := safely(value)
		fmt.Fprintf(&b, "%s%s: %s\n", strings.Repeat("  ", len(sections)), key, scalar(safe))
	})
	return b.String()
}

func scalar(v reflect.Value) string {
	if s := text(v); s != "" {
		return s
	}
	if v.Kind() == reflect.String {
		return strconv.Quote(v.String())
	}
	if list, ok := v.Interface().([]string); ok {
		quoted := make([]string, len(list))
		for i, item := range list {
			quoted[i] = strconv.Quote(item)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	return fmt.Sprint(v.Interface())
}
