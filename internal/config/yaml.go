package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

var dsnPassword = regexp.MustCompile(`^(mysql://[^:@/]*:).*(@(?:tcp|unix)?\()`)

// YAML writes all settings in the form of the file. The password in store.dsn is replaced by
// xxxxx, so that the text can be shown.
func (c Config) YAML() string {
	c.Store.DSN = dsnPassword.ReplaceAllString(c.Store.DSN, "${1}xxxxx${2}")
	var b strings.Builder
	section := ""
	walk(reflect.ValueOf(c), "", func(path string, value reflect.Value) {
		key, indent := path, ""
		if parent, child, nested := strings.Cut(path, "."); nested {
			key, indent = child, "  "
			if parent != section {
				fmt.Fprintf(&b, "%s:\n", parent)
				section = parent
			}
		}
		fmt.Fprintf(&b, "%s%s: %s\n", indent, key, scalar(value))
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
