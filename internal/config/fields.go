package config

import (
	"reflect"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/spelling"
)

// keysOf lists the keys of a struct's fields in their order.
func keysOf(t reflect.Type) []string {
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i] = t.Field(i).Tag.Get("yaml")
	}
	return keys
}

func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	for i, known := range keysOf(v.Type()) {
		if known == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// suggest says which key was probably meant: the nearest of this section, the same key in
// another section, or else which keys there are.
func suggest(key, path string, section reflect.Type) string {
	if best := spelling.Nearest(key, keysOf(section), max(2, len(key)/3)); best != "" {
		return "did you mean " + strings.TrimPrefix(path+"."+best, ".") + "?"
	}
	if elsewhere := pathsOfKey(key); len(elsewhere) > 0 {
		return "did you mean " + strings.Join(elsewhere, " or ") + "?"
	}
	return "the settings here are " + strings.Join(keysOf(section), ", ")
}

// pathsOfKey finds a key in any section.
func pathsOfKey(key string) (paths []string) {
	walk(reflect.ValueOf(Default()), "", func(path string, _ reflect.Value) {
		if path == key || strings.HasSuffix(path, "."+key) {
			paths = append(paths, path)
		}
	})
	return paths
}

// walk calls visit for every setting, in order.
func walk(v reflect.Value, path string, visit func(path string, value reflect.Value)) {
	for i, key := range keysOf(v.Type()) {
		at := strings.TrimPrefix(path+"."+key, ".")
		if v.Field(i).Kind() == reflect.Struct {
			walk(v.Field(i), at, visit)
			continue
		}
		visit(at, v.Field(i))
	}
}

// text writes a setting as the file has it.
func text(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Duration:
		s := value.String()
		if strings.HasSuffix(s, "m0s") {
			s = strings.TrimSuffix(s, "0s")
		}
		if strings.HasSuffix(s, "h0m") {
			s = strings.TrimSuffix(s, "0m")
		}
		return s
	case fleet.Size:
		return value.String()
	}
	return ""
}
