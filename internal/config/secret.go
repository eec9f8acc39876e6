package config

import (
	"net/url"
	"reflect"
	"strings"
)

const hiddenText = "xxxxx"

// safely gives a value without the passwords in it, and whether there were any.
func safely(v reflect.Value) (safe reflect.Value, hidden bool) {
	switch value := v.Interface().(type) {
	case string:
		text := withoutPassword(value)
		return reflect.ValueOf(text), text != value
	case []string:
		texts := make([]string, len(value))
		for i, item := range value {
			texts[i] = withoutPassword(item)
			hidden = hidden || texts[i] != item
		}
		return reflect.ValueOf(texts), hidden
	}
	return v, false
}

// withoutPassword replaces the password in the address of a database or a server.
func withoutPassword(text string) string {
	if rest, ok := strings.CutPrefix(text, "mysql://"); ok {
		// The password may have any letters, also : and @.
		end := strings.LastIndex(rest, "@")
		if end < 0 {
			return text
		}
		user, _, ok := strings.Cut(rest[:end], ":")
		if !ok {
			return text
		}
		return "mysql://" + user + ":" + hiddenText + rest[end:]
	}
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return text
	}
	if _, ok := u.User.Password(); !ok {
		return text
	}
	return u.Redacted()
}
