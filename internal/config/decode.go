package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// places remembers where in the file each setting was given.
type places struct {
	file  string
	at    map[string]*token.Position
	empty map[string]bool // those with nothing after the colon, which keep their defaults
}

// of gives file:line:column of a setting, or the file alone where the setting is not in it.
func (p places) of(field string) string {
	if pos := p.at[field]; pos != nil {
		return fmt.Sprintf("%s:%d:%d", p.file, pos.Line, pos.Column)
	}
	return p.file
}

func (p places) errorf(pos *token.Position, field, format string, args ...any) *fleet.Error {
	p.at[field] = pos
	return fleet.Errorf(fleet.Invalid, "%s: %s", p.of(field), fmt.Sprintf(format, args...)).WithField(field)
}

// decode reads YAML into c, which holds the defaults.
func decode(name string, data []byte, c *Config) (places, error) {
	where := places{file: name, at: map[string]*token.Position{}, empty: map[string]bool{}}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		if bad, ok := errors.AsType[yaml.Error](err); ok && bad.GetToken() != nil {
			return where, where.errorf(bad.GetToken().Position, "", "%s", bad.GetMessage())
		}
		return where, fleet.Errorf(fleet.Invalid, "%s: %w", name, err)
	}
	for i, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if i > 0 {
			return where, where.errorf(doc.Body.GetToken().Position, "", "a second YAML document").
				WithHint("put all settings into one document")
		}
		if err := where.section(doc.Body, "", reflect.ValueOf(c).Elem()); err != nil {
			return where, err
		}
	}
	return where, nil
}

// section reads a mapping into a struct.
func (p places) section(node ast.Node, path string, into reflect.Value) error {
	var entries []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	case *ast.NullNode, *ast.CommentGroupNode:
		return nil
	default:
		return p.errorf(node.GetToken().Position, path, "settings are wanted here, not %s", sortOf(node)).
			WithHint("the settings here are %s", strings.Join(keysOf(into.Type()), ", "))
	}
	for _, entry := range entries {
		key := entry.Key.GetToken().Value
		field := strings.TrimPrefix(path+"."+key, ".")
		pos := entry.Key.GetToken().Position
		target, known := fieldOf(into, key)
		if !known {
			return p.errorf(pos, field, "there is no such setting").
				WithHint("%s", suggest(key, path, into.Type()))
		}
		if p.at[field] != nil {
			return p.errorf(pos, field, "the setting is given twice").WithHint("remove one of the two")
		}
		p.at[field] = pos
		_, p.empty[field] = entry.Value.(*ast.NullNode)
		if err := p.value(entry.Value, field, target); err != nil {
			return err
		}
	}
	return nil
}

// value reads a scalar, or the section that the field is.
func (p places) value(node ast.Node, field string, into reflect.Value) error {
	if into.Kind() == reflect.Struct {
		return p.section(node, field, into)
	}
	if list, ok := into.Addr().Interface().(*[]string); ok {
		return p.list(node, field, list)
	}
	if _, null := node.(*ast.NullNode); null {
		return nil // "key:" with nothing after it leaves the default
	}
	scalar, ok := node.(ast.ScalarNode)
	if !ok {
		return p.errorf(node.GetToken().Position, field, "one value is wanted, not %s", sortOf(node))
	}
	text := fmt.Sprint(scalar.GetValue())
	if literal, ok := node.(*ast.LiteralNode); ok {
		text = literal.Value.Value
	}
	bad := func(what, hint string) error {
		return p.errorf(node.GetToken().Position, field, "%q is not %s", text, what).WithHint("%s", hint)
	}
	switch target := into.Addr().Interface().(type) {
	case *string:
		*target = text
	case *bool:
		b, isBool := scalar.GetValue().(bool)
		if !isBool {
			return bad("true or false", "write true or false, without quotes")
		}
		*target = b
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return bad("a whole number", "write digits only")
		}
		*target = n
	case *float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return bad("a number", "write it as 0.5")
		}
		*target = n
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return bad("a duration", "write a number and a unit, such as 30s, 5m or 72h")
		}
		*target = d
	case *fleet.Size:
		size, err := fleet.ParseSize(text)
		if err != nil {
			return bad("a size", "write a whole number and a unit, such as 512MiB or 10GiB")
		}
		*target = size
	default:
		return fmt.Errorf("no way to read a %s", into.Type()) // a test reads every field
	}
	return nil
}

// list reads a list of scalars.
func (p places) list(node ast.Node, field string, into *[]string) error {
	if _, null := node.(*ast.NullNode); null {
		return nil
	}
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		return p.errorf(node.GetToken().Position, field, "a list is wanted, not %s", sortOf(node)).
			WithHint("write [one, another]")
	}
	*into = nil
	for _, item := range sequence.Values {
		var text string
		if err := p.value(item, field, reflect.ValueOf(&text).Elem()); err != nil {
			return err
		}
		*into = append(*into, text)
	}
	return nil
}

func sortOf(node ast.Node) string {
	switch node.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "settings"
	case *ast.AnchorNode, *ast.AliasNode:
		return "a YAML anchor or alias"
	}
	return fmt.Sprintf("%q", node.GetToken().Value)
}
