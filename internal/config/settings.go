package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"
)

// Source is the sort of place that a setting's value comes from.
type Source string

// The sources, the weakest first.
const (
	FromDefault     Source = "default"
	FromFile        Source = "file"
	FromEnvironment Source = "environment"
	FromFlag        Source = "flag"
)

// Origin is where a setting's value comes from.
type Origin struct {
	Source Source
	// Name is the file with line and column, the variable or the flag; empty of a default.
	Name string
}

// Settings are all settings, with where each of them comes from.
type Settings struct {
	Config
	File    string            // that was read; empty: none
	origins map[string]Origin // by the setting's path; what is not in it has its default
}

// Setting is one setting, for people.
type Setting struct {
	Name    string // path, such as proxy.https
	Value   string // without passwords; a list's parts have commas between them
	Default string // likewise
	About   string // what it does, as the example says
	Hidden  bool   // the value has a secret part that is not shown
	Origin  Origin
}

// Override sets a setting that is text to what was given elsewhere than in the file. Its error
// is of code Invalid where the value breaks a rule.
func (s *Settings) Override(path, value string, from Origin) error {
	walk(reflect.ValueOf(&s.Config).Elem(), "", func(at string, field reflect.Value) {
		if at == path {
			field.SetString(value)
			s.origin(path, from)
		}
	})
	return s.Validate()
}

func (s *Settings) origin(path string, from Origin) {
	if s.origins == nil {
		s.origins = map[string]Origin{}
	}
	s.origins[path] = from
}

// Variables that the S3 client reads where the file names no key.
const (
	accessKeyVariable = "AWS_ACCESS_KEY_ID"
	secretKeyVariable = "AWS_SECRET_ACCESS_KEY"
)

func (s *Settings) environment() {
	if s.S3.Endpoint == "" || s.S3.AccessKey != "" {
		return
	}
	for path, variable := range map[string]string{"s3.access_key": accessKeyVariable, "s3.secret_key_file": secretKeyVariable} {
		if os.Getenv(variable) != "" {
			s.origin(path, Origin{FromEnvironment, variable})
		}
	}
}

// List gives every setting in the order of the file.
func (s Settings) List() []Setting {
	defaults := map[string]string{}
	walk(reflect.ValueOf(Default()), "", func(path string, value reflect.Value) { defaults[path] = plain(value) })
	about := abouts(example)
	var list []Setting
	walk(reflect.ValueOf(s.Config), "", func(path string, value reflect.Value) {
		safe, hidden := safely(value)
		from, given := s.origins[path]
		if !given {
			from = Origin{Source: FromDefault}
		}
		hidden = hidden || from.Source == FromEnvironment && value.IsZero()
		list = append(list, Setting{Name: path, Value: plain(safe), Default: defaults[path], About: about[path], Hidden: hidden, Origin: from})
	})
	return list
}

// plain writes a value as people read it, without quotes.
func plain(v reflect.Value) string {
	if s := text(v); s != "" {
		return s
	}
	if list, ok := v.Interface().([]string); ok {
		return strings.Join(list, ", ")
	}
	return fmt.Sprint(v.Interface())
}
